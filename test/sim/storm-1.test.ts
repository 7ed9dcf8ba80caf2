import { storms } from "./storms.ts";

storms(1, 40);
