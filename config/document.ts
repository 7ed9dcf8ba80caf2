/**
 * A YAML text as plain values that know where they stood. YAML 1.2, core schema: `off` and `no` are texts.
 */
import {
  Composer,
  type CST,
  isAlias,
  isScalar,
  isSeq,
  Lexer,
  type ParsedNode,
  Parser,
  type YAMLMap,
} from "yaml";

/** A configuration nests four deep. The library's composer recurses, and must not meet a text that nests for ever. */
const NESTED_MAX = 16;
/** Tokens the library's parser holds open: up to three for each level. */
const PARSER_STACK_MAX = 3 * NESTED_MAX;
/** Values with every alias written out: a few thousand at the largest site, and no end in an alias bomb. */
const VALUES_MAX = 20_000;
/** The longest key has 16; longer ones would make pointers heavy. */
const KEY_CHARS_MAX = 64;

/** The library's messages may hold a token of the text, of any length. */
const MESSAGE_CHARS_MAX = 120;

const EMPTY = "is empty, allowed: a configuration with gateway, cards, readers and accessPoints";
const TOO_MUCH = "is larger or nests deeper than any configuration";

export interface Finding {
  offset: number;
  /** JSON Pointer (RFC 6901) to what is meant. */
  pointer: string;
  /** What is wrong, and after a comma what is allowed. */
  message: string;
}

/** Where keys and values stand, by JSON Pointer; for what is not there, the nearest thing above it. */
export interface Offsets {
  key(pointer: string): number;
  value(pointer: string): number;
}

type Broken = { kind: "broken"; findings: Finding[] };
/** `value`: null, booleans, numbers, texts, arrays and objects, none of them shared. */
type Read = { kind: "read"; value: unknown; findings: Finding[]; offsets: Offsets };

/** Never throws; linear in the length of `text`. */
export function readYaml(text: string): Broken | Read {
  const tree = compose(text);
  return tree.kind === "broken" ? tree : new TreeReader().readTree(tree.contents);
}

export function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function compose(text: string): Broken | { kind: "tree"; contents: ParsedNode } {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > PARSER_STACK_MAX) return broken([finding(parser.offset, TOO_MUCH)]);
  }
  for (const token of parser.end()) tokens.push(token);
  // Keys given twice are found by `TreeReader`: the library compares each key with each.
  const composer = new Composer({ uniqueKeys: false, resolveKnownTags: false, prettyErrors: false });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (document === undefined) return broken([finding(0, EMPTY)]);
  const findings = [...document.errors, ...document.warnings].map((error) =>
    finding(error.pos[0], `is not YAML: ${error.message.slice(0, MESSAGE_CHARS_MAX)}`),
  );
  if (document.directives.yaml.version === "1.1") {
    findings.push(finding(0, "asks for YAML 1.1, allowed: YAML 1.2"));
  }
  if (second !== undefined) findings.push(finding(second.range[0], "holds several documents, allowed: one"));
  if (findings.length > 0) return broken(findings);
  const contents: ParsedNode | null = document.contents;
  if (contents === null || (isScalar(contents) && contents.value === null))
    return broken([finding(0, EMPTY)]);
  return { kind: "tree", contents };
}

/** The plain values of a tree, with every alias written out. */
class TreeReader {
  readonly #findings: Finding[] = [];
  readonly #keys = new Map<string, number>();
  readonly #values = new Map<string, number>();
  readonly #anchors = new Map<string, ParsedNode>();
  #valuesCount = 0;
  #tooMuchAt: number | null = null;

  readTree(contents: ParsedNode): Broken | Read {
    const value = this.#read(contents, "", 0);
    if (this.#tooMuchAt !== null) return broken([finding(this.#tooMuchAt, TOO_MUCH)]);
    const offsets = {
      key: (pointer: string) => nearest(this.#keys, pointer),
      value: (pointer: string) => nearest(this.#values, pointer),
    };
    return { kind: "read", value, findings: this.#findings, offsets };
  }

  /** `nested` counts aliases, too, so that an alias to what it stands in ends. */
  #read(node: ParsedNode, pointer: string, nested: number): unknown {
    this.#valuesCount += 1;
    if (this.#valuesCount > VALUES_MAX || nested > NESTED_MAX) {
      this.#tooMuchAt ??= node.range[0];
      return null;
    }
    this.#values.set(pointer, node.range[0]);
    if (isAlias(node)) {
      const original = this.#anchors.get(node.source);
      if (original !== undefined) return this.#read(original, pointer, nested + 1);
      this.#findings.push(
        finding(node.range[0], `*${node.source} has no &${node.source} before it`, pointer),
      );
      return null;
    }
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return node.value;
    if (isSeq(node))
      return node.items.map((item, index) => this.#read(item, `${pointer}/${index}`, nested + 1));
    return this.#readMap(node, pointer, nested);
  }

  #readMap(map: YAMLMap.Parsed, pointer: string, nested: number): object {
    const entries = new Map<string, unknown>();
    for (const { key, value } of map.items) {
      const offset = key.range[0];
      const name = isScalar(key) && key.value !== null ? String(key.value) : "";
      if (name === "" || name.length > KEY_CHARS_MAX) {
        this.#findings.push(finding(offset, "has a key that is no short text", pointer));
        continue;
      }
      const place = `${pointer}/${escapePointer(name)}`;
      if (entries.has(name)) {
        this.#findings.push(finding(offset, "is given twice, allowed: once", place));
        continue;
      }
      this.#keys.set(place, offset);
      this.#values.set(place, offset);
      entries.set(name, value === null ? null : this.#read(value, place, nested + 1));
    }
    return Object.fromEntries(entries);
  }
}

function nearest(offsets: ReadonlyMap<string, number>, pointer: string): number {
  for (let place = pointer; ; place = place.slice(0, place.lastIndexOf("/"))) {
    const offset = offsets.get(place);
    if (offset !== undefined || place === "") return offset ?? 0;
  }
}

function finding(offset: number, message: string, pointer = ""): Finding {
  return { offset, pointer, message };
}

function broken(findings: Finding[]): Broken {
  return { kind: "broken", findings };
}
