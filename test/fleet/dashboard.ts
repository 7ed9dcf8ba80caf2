/** The example's Grafana dashboard without a Grafana: every query of it, with Grafana's macros and variables written out as its manual says. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

const FILE = resolve(import.meta.dirname, "../../examples/grafana/dashboards/on-site.json");

export interface Panel {
  title: string;
  type: string;
  sql: string;
}

export async function panelsOf(sites: readonly string[], from: Date, to: Date): Promise<Panel[]> {
  const { panels } = JSON.parse(await readFile(FILE, "utf8")) as {
    panels: { title: string; type: string; targets: { rawSql: string }[] }[];
  };
  return panels.flatMap(({ title, type, targets }) =>
    targets.map(({ rawSql }) => ({ title, type, sql: written(rawSql, sites, from, to) })),
  );
}

function written(sql: string, sites: readonly string[], from: Date, to: Date): string {
  const quoted = [from, to].map((date) => `'${date.toISOString()}'`);
  return sql
    .replaceAll(/\$\{site:sqlstring\}/g, sites.map((site) => `'${site}'`).join(","))
    .replaceAll(/\$__timeGroupAlias\((\w+), \$__interval\)/g, 'floor(extract(epoch from $1)/60)*60 AS "time"')
    .replaceAll(/\$__timeFilter\((\w+)\)/g, `$1 BETWEEN ${quoted.join(" AND ")}`)
    .replaceAll("$__timeFrom()", quoted[0]!)
    .replaceAll("$__timeTo()", quoted[1]!);
}
