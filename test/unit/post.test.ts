import { expect, test } from "vitest";
import { Post } from "../../daemon/broker/post.ts";
import type { Message, PublishOutcome } from "../../drivers/ports.ts";

const message = (topic: string): Message => ({ topic, payload: "{}", retain: true });

test("one message at a time, in order; what is more than may wait is lost and says so, and then there is room again", async () => {
  const published: string[] = [];
  const answers: ((outcome: PublishOutcome) => void)[] = [];
  const post = new Post(({ topic }) => {
    published.push(topic);
    return new Promise((answer) => answers.push(answer));
  });
  const outcomes = Array.from({ length: 33 }, (_, index) => post.send(message(`${index}`)));
  expect(await outcomes[32]).toMatchObject({ kind: "lost", why: "too many messages wait to be published" });
  for (let index = 0; index < 32; index += 1) {
    await new Promise((turn) => setImmediate(turn));
    expect(published).toHaveLength(index + 1);
    answers[index]!({ kind: "acknowledged" });
    expect(await outcomes[index]).toEqual({ kind: "acknowledged" });
  }
  expect(published).toEqual(Array.from({ length: 32 }, (_, index) => `${index}`));
  void post.send(message("again"));
  await new Promise((turn) => setImmediate(turn));
  expect(published.at(-1)).toBe("again");
});
