import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./style.css";
import { App } from "./App";
import { loadKept } from "./state/gallery";
import { startJobs } from "./state/jobs";
import { modeOf, page } from "./state/route";
import "./state/theme";
import { watchLoading } from "./state/loading";
import { watchWorker } from "./state/worker";

watchWorker();
startJobs(modeOf(page.get()));
void loadKept();
void watchLoading();
createRoot(document.getElementById("root")!).render(<StrictMode><App /></StrictMode>);
