/** Where a feed is, by how its place is written. */
import { createDirectorySource } from "./feed-directory.ts";
import { createHttpSource, type HttpFeedOptions } from "./feed-http.ts";
import type { FeedSource } from "./ports.ts";
import { createSystemDisk } from "./system.ts";

/** `feed`: an `http://` or `https://` address, or a directory. */
export function createFeedSource(feed: string, options: HttpFeedOptions = {}): FeedSource {
  return /^https?:\/\//i.test(feed)
    ? createHttpSource(feed, { environment: process.env, ...options })
    : createDirectorySource(feed, createSystemDisk());
}
