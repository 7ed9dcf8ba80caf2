import { userInfo } from "node:os";

/** The account that runs a command, and who became it, as far as sudo says. */
export function whoAsks(): string {
  const { SUDO_USER } = process.env;
  let name = `uid ${process.getuid?.() ?? "unknown"}`;
  try {
    name = userInfo().username;
  } catch {
    // An account without a name, as in a container.
  }
  return SUDO_USER === undefined || SUDO_USER === name ? name : `${SUDO_USER} as ${name}`;
}
