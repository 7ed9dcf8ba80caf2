/**
 * A configuration that may still have faults of shape, in parts that further checks can look at.
 */
import type { Complaint } from "./faults.ts";
import type { Configuration } from "./schema.ts";

/** `isSound`: no complaint about what stands at this JSON Pointer or anywhere below. */
export interface Draft {
  value: unknown;
  isSound(pointer: string): boolean;
}

/** An entry of a list; each field may still be missing or of the wrong type, unless the pointer is sound. */
export interface Entry<T> {
  pointer: string;
  item: { [K in keyof T]?: unknown };
  /** The same, typed, where it is sound. */
  sound: T | null;
}

export function section<K extends "cards" | "mqtt" | "console">(
  draft: Draft,
  key: K,
): NonNullable<Configuration[K]> | null {
  if (!draft.isSound(`/${key}`)) return null;
  return (draft.value as Configuration | null)?.[key] ?? null;
}

export function entriesOf<T>(draft: Draft, key: "readers" | "accessPoints"): Entry<T>[] {
  const list: unknown = (draft.value as Partial<Configuration> | null)?.[key];
  return Array.isArray(list)
    ? list.flatMap((item, index) => entryOf<T>(draft, `/${key}/${index}`, item))
    : [];
}

export function entryOf<T>(draft: Draft, pointer: string, item: unknown): Entry<T>[] {
  if (typeof item !== "object" || item === null) return [];
  return [{ pointer, item, sound: draft.isSound(pointer) ? (item as T) : null }];
}

export function namesOf(entries: Entry<{ id: string }>[]): string[] {
  const ids = entries.flatMap(({ item: { id } }) => (typeof id === "string" ? [id] : []));
  return [...new Set(ids)];
}

export function fault(pointer: string, message: string): Complaint {
  return { pointer, at: "value", message };
}
