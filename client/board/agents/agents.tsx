/** Who is there to be told things, how much waits for each, and what reached nobody. */
import type { AgentPresence, MessageReport } from "../../../src/protocol/agents.ts";
import { counted, grouped, longAge, momentOf } from "../model/age.ts";
import { Icon } from "../ui/icons.tsx";
import type { AgentsState } from "./agent-store.ts";

export interface AgentsProps {
  readonly agents: AgentsState;
  readonly now: number;
  readonly onResend: (messageId: string) => void;
}

export function Agents({ agents, now, onResend }: AgentsProps) {
  const { state, devices, deadLetters, failure } = agents;
  const online = devices.filter((device) => device.online).length;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div className="page" tabIndex={0} data-agents={state}>
      <header className="page-head">
        <h2>Agents</h2>
        <p className="quiet">
          {devices.length === 0
            ? "Devices that take messages, one at a time, until each is acknowledged."
            : `${online} of ${counted(devices.length, "device")} online.`}
        </p>
      </header>
      {failure ? (
        <p className="page-note" role="status">
          <Icon name="warning" /> {failure}
        </p>
      ) : null}
      {devices.length === 0 ? <NoDevices state={state} /> : <Devices devices={devices} now={now} />}
      {deadLetters.length > 0 ? <DeadLetters messages={deadLetters} now={now} onResend={onResend} /> : null}
    </div>
  );
}

function NoDevices({ state }: Pick<AgentsState, "state">) {
  const words = {
    connecting: "Asking the server…",
    absent: "This server has no agents.",
    denied: "This identity may not see the devices.",
    open: "No device has connected yet. The first one that opens its inbox appears here by itself.",
  }[state];
  return (
    <section className="panel panel-empty">
      <span className="state-icon">
        <Icon name="agent" />
      </span>
      <p>{words}</p>
    </section>
  );
}

function Devices({ devices, now }: { readonly devices: readonly AgentPresence[]; readonly now: number }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="panel table-place" tabIndex={0} aria-label="Devices">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Presence</th>
            <th scope="col" className="number">
              Lane
            </th>
            <th scope="col" className="number">
              Unacknowledged
            </th>
            <th scope="col" className="number">
              Stuck
            </th>
            <th scope="col" className="number">
              Dead letters
            </th>
            <th scope="col">Opened by</th>
          </tr>
        </thead>
        <tbody>
          {devices.map((device) => (
            <Device key={device.deviceId} device={device} now={now} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Device({ device, now }: { readonly device: AgentPresence; readonly now: number }) {
  const { deviceId, online, since, waiting, inFlight, stuck, deadLetters, subject, node } = device;
  return (
    <tr data-device={deviceId} data-online={online}>
      <th scope="row">{deviceId}</th>
      <td>
        <span className="presence">
          <span className={online ? "dot dot-on" : "dot"} aria-hidden="true" />
          {online ? "online" : "offline"}
          <span className="quiet">{longAge(momentOf(since), now)}</span>
        </span>
      </td>
      <td className="number">{grouped(waiting + inFlight + stuck)}</td>
      <td className="number">{grouped(inFlight + stuck)}</td>
      <td className="number">{stuck > 0 ? <b className="loud">{grouped(stuck)}</b> : 0}</td>
      <td className="number">{deadLetters > 0 ? <b className="loud">{grouped(deadLetters)}</b> : 0}</td>
      <td className="quiet" title={node === null ? undefined : `on node ${node}`}>
        {subject ?? "–"}
      </td>
    </tr>
  );
}

interface DeadLettersProps {
  readonly messages: readonly MessageReport[];
  readonly now: number;
  readonly onResend: (messageId: string) => void;
}

function DeadLetters({ messages, now, onResend }: DeadLettersProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="panel table-place" tabIndex={0} aria-label="Dead letters">
      <h3>Dead letters</h3>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">What became of it</th>
            <th scope="col" className="number">
              Attempts
            </th>
            <th scope="col">When</th>
            <th scope="col">Message</th>
            <th scope="col">
              <span className="unseen">Send again</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {messages.map((message) => (
            <tr key={message.messageId} data-dead={message.messageId}>
              <th scope="row">{message.deviceId}</th>
              <td className="dead-why">
                {message.error ? `${message.status}: ${message.error}` : message.status}
              </td>
              <td className="number">{grouped(message.attempt)}</td>
              <td>{longAge(momentOf(message.settledAt ?? message.acceptedAt), now)}</td>
              <td className="mono">
                <span className="clip dead-id" title={message.messageId}>
                  {message.messageId}
                </span>
              </td>
              <td className="number">
                <button
                  type="button"
                  className="button button-small"
                  aria-label={`Send ${message.messageId} again`}
                  onClick={() => onResend(message.messageId)}
                >
                  Send again
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
