/**
 * What Home Assistant is told, so that it finds this gateway by itself: one retained message an entity, as its MQTT discovery wants them
 * (`homeassistant/<component>/<node>/<object>/config`). All of it points to retained states; none of these holds a card number. Pure.
 */
import type { Message } from "../../drivers/ports.ts";
import { REASONS } from "../gate/reasons.ts";
import type { Topics } from "./report.ts";

/** Home Assistant's own default; a site that has changed it there changes it back. */
export const DISCOVERY_PREFIX = "homeassistant";

export interface AnnouncedSite {
  gateway: string;
  site: string;
  version: string;
  accessPoints: readonly { id: string; readers: readonly string[]; pulseMs: number | null }[];
}

interface Entity {
  component: "binary_sensor" | "sensor";
  /** Unique within the gateway. */
  object: string;
  /** What Home Assistant's documentation calls configuration variables. */
  config: Readonly<Record<string, unknown>>;
}

export function discoveryMessages(site: AnnouncedSite, topics: Topics): Message[] {
  const node = `grindvakt-${site.site}-${site.gateway}`;
  const device = {
    identifiers: [node],
    name: `Grindvakt ${site.gateway}`,
    manufacturer: "Grindvakt",
    model: "Gateway",
    sw_version: site.version,
    suggested_area: site.site,
  };
  const origin = { name: "Grindvakt", sw_version: site.version };
  return entitiesOf(site, topics).map(({ component, object, config }) => ({
    topic: `${DISCOVERY_PREFIX}/${component}/${node}/${object}/config`,
    payload: JSON.stringify({ ...config, unique_id: `${node}-${object}`, qos: 1, device, origin }),
    retain: true,
    contentType: "application/json",
  }));
}

function entitiesOf({ accessPoints }: AnnouncedSite, topics: Topics): Entity[] {
  // What a gateway that is gone said last is not how it stands.
  const whileOnline = { availability_topic: topics.state, availability_template: "{{ value_json.state }}" };
  const diagnostic = { ...whileOnline, entity_category: "diagnostic" };
  return [
    {
      component: "binary_sensor",
      object: "online",
      config: {
        name: "Online",
        device_class: "connectivity",
        entity_category: "diagnostic",
        state_topic: topics.state,
        value_template: onWhere("value_json.state == 'online'"),
      },
    },
    {
      component: "binary_sensor",
      object: "journal",
      config: {
        ...diagnostic,
        name: "Journal",
        device_class: "problem",
        state_topic: topics.state,
        value_template: onWhere(
          "value_json.journal is defined and (value_json.journal.state == 'failed' or value_json.journal.warning)",
        ),
      },
    },
    {
      component: "sensor",
      object: "unsent",
      config: {
        ...diagnostic,
        name: "Unsent events",
        state_class: "measurement",
        state_topic: topics.state,
        value_template: "{{ value_json.unsent | default('None') }}",
      },
    },
    {
      component: "sensor",
      object: "list",
      config: {
        ...whileOnline,
        name: "Card list",
        device_class: "enum",
        options: ["fresh", "late", "stale"],
        state_topic: topics.list,
        value_template: "{{ value_json.freshness }}",
        json_attributes_topic: topics.list,
      },
    },
    ...accessPoints.flatMap(({ id, readers, pulseMs }) => [
      lastTap(id, topics, whileOnline),
      ...(pulseMs === null ? [] : [relay(id, topics, diagnostic)]),
      ...readers.map((reader) => readerUp(reader, topics, diagnostic)),
    ]),
  ];
}

function lastTap(id: string, topics: Topics, more: object): Entity {
  const topic = topics.accessPoint(id);
  return {
    component: "sensor",
    object: `tap-${id}`,
    config: {
      ...more,
      name: `Last tap at ${id}`,
      device_class: "enum",
      options: REASONS,
      state_topic: topic,
      value_template: "{{ value_json.reason }}",
      json_attributes_topic: topic,
    },
  };
}

function relay(id: string, topics: Topics, more: object): Entity {
  return {
    component: "binary_sensor",
    object: `relay-${id}`,
    config: {
      ...more,
      name: `Relay ${id}`,
      device_class: "connectivity",
      state_topic: topics.state,
      // Names hold hyphens.
      value_template: onWhere(`(value_json.relays | default({}))['${id}'] == 'up'`),
    },
  };
}

function readerUp(id: string, topics: Topics, more: object): Entity {
  const topic = topics.reader(id);
  return {
    component: "binary_sensor",
    object: `reader-${id}`,
    config: {
      ...more,
      name: `Reader ${id}`,
      device_class: "connectivity",
      state_topic: topic,
      value_template: onWhere("value_json.state == 'up'"),
      json_attributes_topic: topic,
    },
  };
}

function onWhere(condition: string): string {
  return `{{ 'ON' if ${condition} else 'OFF' }}`;
}
