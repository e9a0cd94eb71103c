namespace EventBus.Load;

/// <summary>The way of publishing, and the measured figure.</summary>
internal enum Mode
{
    /// <summary>One publisher that awaits each publish; until the last handler has run.</summary>
    OneByOne,

    /// <summary>64 publishers that await each publish; until the last handler has run.</summary>
    InFlight64,

    /// <summary>One publisher with a list; until the last handler has run.</summary>
    List,

    /// <summary>One event at a time: from the publish call to the first line of the handler.</summary>
    OneInFlight,

    /// <summary>
    /// A given number of events a second, independently of earlier ones: from the time when an event is due to the
    /// first line of its handler.
    /// </summary>
    AtRate,

    /// <summary>A list while the handlers wait, and then until the last handler has run.</summary>
    Backlog,
}

/// <summary>The order of one measurement for a worker.</summary>
/// <param name="Mode">The mode.</param>
/// <param name="Events">The number of events.</param>
/// <param name="Rate">Events a second, for <see cref="Mode.AtRate"/>.</param>
internal sealed record Work(Mode Mode, int Events, int Rate = 0);

/// <summary>The result of one measurement.</summary>
/// <param name="EventsPerSecond">Events published and handled in a second.</param>
/// <param name="P50">The median latency in microseconds; 0 if none is measured.</param>
/// <param name="P99">Its 99th percentile.</param>
/// <param name="P999">Its 99.9th percentile.</param>
/// <param name="Cpu">The processor time of an event in microseconds.</param>
/// <param name="Bytes">The allocated bytes of an event.</param>
/// <param name="PeakMiB">The peak resident memory of the process in MiB.</param>
/// <param name="Problem">The error; null if there was none.</param>
internal sealed record Sample(
    double EventsPerSecond,
    double P50,
    double P99,
    double P999,
    double Cpu,
    double Bytes,
    double PeakMiB,
    string? Problem = null)
{
    /// <summary>The time of the compiler in microseconds an event, part of the processor time.</summary>
    public double Compiling { get; init; }

    public static Sample Failed(string problem) => new(0, 0, 0, 0, 0, 0, 0, problem);
}
