/** How the service does: who is connected, what is delivered, what was spared, what waits. */
import type { ReactNode } from "react";
import type { SnapwireStats } from "../../../src/health.ts";
import type { SnapwireClient } from "../../connection.ts";
import type { FrameLog } from "../../live-panel/frame-log.ts";
import { LivePanel } from "../../live-panel/live-panel.tsx";
import { grouped, longAge } from "../model/age.ts";
import { freshnessOf } from "../model/freshness.ts";
import type { ProjectState } from "../store/project-watch.ts";
import type { TokenKeeper } from "../store/token.ts";
import { standingOf } from "../ui/freshness.tsx";
import { useNow } from "../ui/hooks.ts";
import { Icon } from "../ui/icons.tsx";
import {
  areaBelow,
  bytesWords,
  fullsOf,
  rateOf,
  ratesOf,
  type Sample,
  sparkline,
  valuesOf,
} from "./samples.ts";
import { useStats } from "./use-stats.ts";

export interface OpsProps {
  readonly client: SnapwireClient;
  readonly keeper: TokenKeeper;
  readonly projects: readonly ProjectState[];
  readonly frames: FrameLog;
}

export function Ops({ client, keeper, projects, frames }: OpsProps) {
  const { samples, lag, refused, failure } = useStats(client, keeper);
  const stats = samples.at(-1)?.stats;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div className="page" data-ops={stats ? "ready" : "waiting"} tabIndex={0}>
      <header className="page-head">
        <h2>Ops</h2>
        <p className="quiet">Numbers since the server started, looked at every two seconds.</p>
      </header>
      {failure ? (
        <p className="page-note" role="status">
          <Icon name="warning" /> {failure} {stats ? "These are the last numbers." : ""}
        </p>
      ) : null}
      {refused ? (
        <p className="page-note">
          <Icon name="warning" /> The numbers of the server are for admins. What this page knows itself is
          below.
        </p>
      ) : null}
      {stats ? (
        <>
          <Tiles stats={stats} samples={samples} />
          <div className="panels">
            <ResumesAgainstFulls stats={stats} />
            <Panel title="Lag">
              <dl className="facts">
                <dt>Server, half of all</dt>
                <dd>{lag ? `${lag.p50.toFixed(1)} ms or less` : "no delivery yet"}</dd>
                <dt>Server, 99 of 100</dt>
                <dd>{lag ? `${lag.p99.toFixed(1)} ms or less` : "no delivery yet"}</dd>
                <dt>To this page</dt>
                <dd>{lagToHere(projects)}</dd>
              </dl>
              <p className="quiet">From a change to its write into a socket that has room.</p>
            </Panel>
            <Panel title="Buffers">
              <dl className="facts">
                <dt>Waiting in sockets</dt>
                <dd>{bytesWords(stats.bufferedBytes)}</dd>
                <dt>Stalled sockets</dt>
                <dd>{grouped(stats.stalledSockets)}</dd>
                <dt>Tombstones kept</dt>
                <dd>{grouped(stats.tombstones)}</dd>
              </dl>
              <p className="quiet">A stalled socket costs its buffer and nobody else’s time.</p>
            </Panel>
          </div>
        </>
      ) : null}
      <ThisPage client={client} projects={projects} />
      <section className="panel">
        <h3>Frames to this page</h3>
        <LivePanel log={frames} placement="inline" />
      </section>
    </div>
  );
}

function Panel({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="panel">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Tiles({ stats, samples }: { readonly stats: SnapwireStats; readonly samples: readonly Sample[] }) {
  const spared = stats.conflated + stats.deliveries;
  return (
    <dl className="tiles">
      <Tile name="Connections" value={grouped(stats.sockets)} values={valuesOf(samples, "sockets")} />
      <Tile
        name="Subscriptions"
        value={grouped(stats.subscriptions)}
        values={valuesOf(samples, "subscriptions")}
      />
      <Tile
        name="Deliveries"
        value={grouped(stats.deliveries)}
        note={perSecond(rateOf(samples, "deliveries"))}
        values={ratesOf(samples, "deliveries")}
      />
      <Tile
        name="Conflated"
        value={grouped(stats.conflated)}
        note={spared === 0 ? "none needed" : `${((100 * stats.conflated) / spared).toFixed(1)} % spared`}
        values={ratesOf(samples, "conflated")}
      />
      <Tile
        name="Sent"
        value={bytesWords(stats.sentBytes)}
        note={`${grouped(stats.writes)} writes, ${grouped(stats.encodes)} encodes`}
        values={ratesOf(samples, "sentBytes")}
      />
      <Tile
        name="Workspaces"
        value={grouped(stats.workspaces)}
        note={`in ${grouped(stats.projects)} ${stats.projects === 1 ? "project" : "projects"}`}
        values={valuesOf(samples, "workspaces")}
      />
    </dl>
  );
}

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly note?: string;
  readonly values: readonly number[];
}

function Tile({ name, value, note, values }: TileProps) {
  return (
    <div className="tile" data-tile={name}>
      <dt>{name}</dt>
      <dd className="tile-value">{value}</dd>
      <dd className="tile-note">{note ?? " "}</dd>
      <dd className="tile-line" aria-hidden="true">
        <svg viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true" focusable="false">
          <path className="tile-area" d={areaBelow(sparkline(values))} />
          <path d={sparkline(values)} />
        </svg>
      </dd>
    </div>
  );
}

function perSecond(rate: number | undefined): string {
  if (rate === undefined) return "";
  return `${rate < 10 ? rate.toFixed(1) : grouped(rate)} a second`;
}

function ResumesAgainstFulls({ stats }: { readonly stats: SnapwireStats }) {
  const fulls = fullsOf(stats);
  const total = stats.resumes + fulls;
  return (
    <Panel title="Resumes against fulls">
      <div
        className="bar"
        role="img"
        aria-label={`${stats.resumes} subscriptions resumed, ${fulls} began with a full snapshot`}
      >
        <span className="bar-part" style={{ width: `${total === 0 ? 0 : (100 * stats.resumes) / total}%` }} />
      </div>
      <dl className="facts">
        <dt>Resumed</dt>
        <dd>{grouped(stats.resumes)}</dd>
        {Object.entries(stats.fulls).map(([reason, count]) => (
          <Row key={reason} name={`Full, ${reason}`} value={grouped(count)} />
        ))}
      </dl>
    </Panel>
  );
}

function Row({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

function lagToHere(projects: readonly ProjectState[]): string {
  const known = projects.flatMap(({ lagMs }) => (lagMs === undefined ? [] : [lagMs]));
  return known.length === 0 ? "no change seen yet" : `${Math.max(...known)} ms, last change`;
}

function ThisPage({ client, projects }: Pick<OpsProps, "client" | "projects">) {
  const now = useNow(1_000);
  const { connection } = client;
  return (
    <section className="panel">
      <h3>This page</h3>
      <dl className="facts">
        <dt>Connection</dt>
        <dd>{connection.status}</dd>
        <dt>Last heard</dt>
        <dd>{longAge(connection.lastProofOfLife, now)}</dd>
      </dl>
      {projects.length === 0 ? null : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <div className="table-place" tabIndex={0}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Project</th>
                <th scope="col">State</th>
                <th scope="col">Position</th>
                <th scope="col" className="number">
                  Workspaces
                </th>
                <th scope="col" className="number">
                  Lag
                </th>
              </tr>
            </thead>
            <tbody>
              {projects.map((project) => (
                <tr key={project.projectId}>
                  <th scope="row">{project.projectId}</th>
                  <td>{freshnessOf(standingOf(project, connection), now).word}</td>
                  <td className="mono">{project.view.position ?? "none yet"}</td>
                  <td className="number">{grouped(project.view.entries.length)}</td>
                  <td className="number">{project.lagMs === undefined ? "–" : `${project.lagMs} ms`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
