/** Something that must hold of every gate does not. */
export class Violation extends Error {}
