/**
 * The page at `/`, made anew at each request: how the gateway is and its last taps, in Swedish and English.
 */
import { html } from "hono/html";
import { type Reason, TEXTS } from "../reasons.ts";
import type { CloudEvent } from "../record.ts";
import { ailment, type Status, shutGates } from "../status.ts";

type Html = ReturnType<typeof html>;

/** `html` escapes what is put into it. */
export function renderPage(status: Status, taps: readonly CloudEvent[]): Html {
  const { gateway, site, version, list, outbox, broker } = status;
  return html`<!doctype html>
<html lang="sv">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${gateway} · Grindvakt</title>
</head>
<body>
<h1>${gateway}</h1>
<p>${site} · Grindvakt ${version} · <a href="/">Uppdatera / <span lang="en">Refresh</span></a></p>
${health(ailment(status))}
${shutGates(status).map(shut)}
<h2>Kortlista / <span lang="en">Card list</span></h2>
<p>Revision ${list.revision ?? "–"} · ${list.cards} kort / <span lang="en">cards</span> ·
<span lang="en">${list.freshness}</span> · ${list.refreshedAt ?? "–"}</p>
<h2>Läsare / <span lang="en">Readers</span></h2>
<ul>${Object.entries(status.readers).map(
    ([id, { state, since, why }]) =>
      html`<li>${id}: <strong lang="en">${state}</strong> · ${since} <span lang="en">${why}</span></li>`,
  )}</ul>
<h2>På plats / <span lang="en">On site</span></h2>
<p>${status.presence.onSite} · för länge sedan / <span lang="en">overdue</span> ${status.presence.overdue}</p>
<h2>Osänt / <span lang="en">Unsent</span></h2>
<p>${outbox.unsent} · <span lang="en">broker ${broker.state} ${broker.why}</span></p>
<h2>Senaste kort / <span lang="en">Last taps</span></h2>
<ol>${taps.map(tapItem)}</ol>
</body>
</html>
`;
}

function health(ailing: string | null): Html {
  return ailing === null
    ? html`<p><strong>Grinden fungerar. / <span lang="en">The gate works.</span></strong></p>`
    : html`<p><strong>Grinden fungerar inte. / <span lang="en">The gate does not work: ${ailing}.</span></strong></p>`;
}

function shut(accessPoint: string): Html {
  return html`<p><strong>${accessPoint} öppnar inte: reläet svarar inte. / <span
lang="en">${accessPoint} does not open: its relay is down.</span></strong></p>`;
}

function tapItem({ time, subject, data }: CloudEvent): Html {
  const texts = TEXTS[data.reason as Reason];
  return html`<li>${time} · ${subject} · ${data.card ?? "–"} · <strong>${texts?.sv}</strong> / <span
lang="en">${texts?.en}</span></li>`;
}
