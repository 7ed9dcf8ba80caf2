/** What the gateway refuses, in Swedish, by the code of its answer. In English the answer's own words say it. And its silence. */

/** @type {Record<import("../refusals.ts").Refusal, string>} */
export const SWEDISH = {
  "sign-in": "Logga in först.",
  password: "Fel lösenord.",
  "no-password": "Den här konsolen har inget lösenord, så ingen kan logga in.",
  "passwords-spent": "För många fel lösenord. Vänta en minut.",
  name: "Namnet ska vara en rad på högst 100 tecken.",
  "too-often": "För många gånger på kort tid. Vänta en minut.",
  busy: "Grinden har fullt upp. Försök igen om en stund.",
  failed: "Grinden kunde inte svara. Dess logg säger varför.",
  "no-relay": "Den grinden har inget relä att öppna med.",
  "not-written": "Journalen kan inte skrivas, och det som inte skrivs ner görs inte. Se över disken.",
  "no-number": "Det är inget kortnummer. Skriv det som på kortet: BB-1234-567890.",
  reason: "Anledningen ska vara en rad på högst 200 tecken, och får inte saknas där den krävs.",
  until: "Sista dagen går inte att läsa, eller hör inte hit: bara en spärr eller en anmälan har ett slut.",
  "until-passed": "Den dagen har redan varit.",
  "not-on-it": "Det kortet står inte på platsens lista, så det finns inget att ta bort.",
  full: "Platsens lista är full.",
  "not-kept": "Det kunde inte sparas, och ingenting har ändrats. Se över disken.",
  where: "Säg vid vilken grind.",
  when: "Tiden går inte att läsa.",
  "when-unset": "Klockan är inte ställd sedan start, så ingen annan tid än nu kan anges.",
  "when-ahead": "Den tiden har inte varit än.",
  "when-long-ago": "Det är mer än sju dagar sedan.",
  "no-tap": "Den läsningen finns inte, eller gav inget kortnummer.",
  "leads-nowhere": "Det leder inte till något kortnummer.",
  digits: "Skriv de sista siffrorna i kortnumret, 2 till 6. Den som har loggat in kan skriva fler.",
  "no-test-tap": "Den läsaren är inte i drift, eller tar inga provläsningar.",
  "not-watched":
    "Den läsaren går inte att lyssna på: den finns inte, är av en sort som inte kan, eller har redan fyra som lyssnar.",
};

/** @param {{ error: string, code?: string }} answer @param {string} language */
export function wordsOfRefusal({ error, code = "" }, language) {
  return (language === "sv" ? SWEDISH[code] : undefined) ?? error;
}

const NO_ANSWER = {
  sv: ["Grinden svarade inte.", "Se efter om det blev gjort innan du försöker igen."],
  en: ["The gate did not answer.", "See whether it was done before you try again."],
};

/** Where something was to be done: whether it was before the contact was lost nobody here knows. @param {string} language @param {string} method */
export function wordsOfNoAnswer(language, method) {
  const [silence, doubt] = language === "sv" ? NO_ANSWER.sv : NO_ANSWER.en;
  return method === "GET" ? silence : `${silence} ${doubt}`;
}
