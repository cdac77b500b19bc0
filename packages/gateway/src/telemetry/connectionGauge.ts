import * as Metrics from "@switchyard/router/Metrics"

/** The metric of what no deployment is to blame for, and so is in none of their figures. Without the prefix. @public */
export const waitingConnections = {
  name: "connections_waiting",
  help: "Requests that wait for a connection to a provider now, because all of its host are in use (transport.connections)."
} as const

/** The gauge at this moment, under the options of the metrics in force. */
export const connectionGauge = (waiting: number, options: Metrics.Options): Metrics.Family => {
  const { labels = {}, prefix = Metrics.defaults.prefix } = options
  return {
    type: "gauge",
    name: `${prefix}_${waitingConnections.name}`,
    help: waitingConnections.help,
    series: [{ labels: Object.entries(labels), value: waiting }]
  }
}
