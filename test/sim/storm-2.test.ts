import { storms } from "./storms.ts";

storms(41, 80);
