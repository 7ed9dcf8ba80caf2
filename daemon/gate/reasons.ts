/**
 * Why a tap was granted or refused: the closed list of CONTRACT 4 in its order, and what to tell the person.
 * `docs/decision.md` shows the same table; a test holds the two equal.
 */
export const REASONS = [
  "removed-early",
  "unreadable",
  "wrong-type",
  "malformed",
  "ambiguous",
  "list-missing",
  "unknown",
  "site-blocked",
  "terminated",
  "superseded",
  "blocked",
  "suspended",
  "not-activated",
  "expired",
  "not-allowed-here",
  "list-stale",
  "outside-hours",
  "passback",
  "granted",
] as const;
export type Reason = (typeof REASONS)[number];

export type Language = "sv" | "en";

/** What the person at the gate should do. Short enough for a display, complete enough to act on. */
export const TEXTS: Readonly<Record<Reason, Readonly<Record<Language, string>>>> = {
  "removed-early": {
    sv: "Håll kortet stilla mot läsaren tills den svarar.",
    en: "Hold the card still against the reader until it answers.",
  },
  unreadable: {
    sv: "Kortet gick inte att läsa. Försök igen och håll hela kortet mot läsaren.",
    en: "The card could not be read. Try again, the whole card against the reader.",
  },
  "wrong-type": {
    sv: "Fel sorts kort. Använd ditt ID06-kort.",
    en: "Wrong kind of card. Use your ID06 card.",
  },
  malformed: {
    sv: "Inget giltigt kortnummer kunde läsas. Försök igen eller kontakta platsledningen.",
    en: "The reader gave no valid card number. Try again, or else ask the site office.",
  },
  ambiguous: {
    sv: "Läsaren ger för få siffror för att skilja korten åt. Kontakta platsledningen.",
    en: "The reader gives too few digits to tell the cards apart. Ask the site office.",
  },
  "list-missing": {
    sv: "Grinden har ingen kortlista ännu. Kontakta platsledningen.",
    en: "The gate has no card list yet. Ask the site office.",
  },
  unknown: {
    sv: "Kortet finns inte på listan. Kontrollera numret; kortet kanske inte är aktiverat än.",
    en: "The card is not on the list. Check the number; it may not be activated yet.",
  },
  "site-blocked": {
    sv: "Kortet är spärrat på den här arbetsplatsen. Kontakta platsledningen.",
    en: "Blocked at this site. Ask the site office.",
  },
  terminated: {
    sv: "Kortet gäller inte längre. Beställ ett nytt kort.",
    en: "The card is terminated. Order a new card.",
  },
  superseded: {
    sv: "Kortet har ersatts. Använd ditt nya kort.",
    en: "The card is replaced. Use the newer card.",
  },
  blocked: { sv: "Spärrad: kontakta din arbetsgivare.", en: "Blocked: ask your employer." },
  suspended: {
    sv: "Kortavgiften är inte betald. När den är betald fungerar kortet igen.",
    en: "The card fee is not paid. Once it is paid the card works again.",
  },
  "not-activated": {
    sv: "Kortet är inte aktiverat. Aktivera det via ditt ID06-konto.",
    en: "The card is not activated. Activate it on your ID06 account.",
  },
  expired: {
    sv: "Kortets giltighetstid har gått ut. Beställ ett nytt kort.",
    en: "The card's validity has ended. Order a new card.",
  },
  "not-allowed-here": {
    sv: "Kortet är inte anmält till den här arbetsplatsen. Kontakta platsledningen.",
    en: "The card has not been allowed at this site. Ask the site office.",
  },
  "list-stale": {
    sv: "Grindens kortlista är för gammal. Kontakta platsledningen.",
    en: "The gate's card list is too old. Ask the site office.",
  },
  "outside-hours": {
    sv: "Grinden är stängd vid den här tiden.",
    en: "The gate is closed at this time.",
  },
  passback: {
    sv: "Kortet är redan registrerat i den här riktningen. Kontakta platsledningen.",
    en: "The card is already registered in this direction. Ask the site office.",
  },
  granted: { sv: "Välkommen.", en: "Welcome." },
};
