import * as Service from "@switchyard/core/Service"

/** What goes wrong directly inside the layer under test. */
export class Trouble {
  /** Thrown where the inner service is called. */
  atCall: unknown
  /** Thrown by the `end` of a bracket around it. */
  atEnd: unknown

  private readonly bracket = {
    when: () => this.atEnd !== undefined,
    begin: () => {},
    end: () => {
      throw this.atEnd
    }
  }

  /** Around the inner service of the attempt tier. */
  readonly attempts: Service.AttemptLayer = (next) =>
    Service.bracketAttempt<void>(this.bracket)(
      Service.attempt((attempt) => this.call(() => next.call(attempt)), next.status)
    )

  /** Around that of the request tier. */
  readonly requests: Service.RequestLayer = (next) =>
    Service.bracketRequest<void>(this.bracket)(
      Service.request((request) => this.call(() => next.call(request)), next.openings)
    )

  private call(call: () => Service.Call): Service.Call {
    if (this.atCall !== undefined) throw this.atCall
    return call()
  }
}
