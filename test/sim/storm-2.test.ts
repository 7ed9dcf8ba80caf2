import { storms } from "./storms.ts";

storms(101, 200);
