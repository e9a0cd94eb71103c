namespace EventBus.Load;

/// <summary>How the events are published, and what is measured.</summary>
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

    /// <summary>A given number of events a second, whatever becomes of the earlier ones: from when an event should have been published to the first line of its handler.</summary>
    AtRate,

    /// <summary>A list while no handler goes on, and then until the last handler has run.</summary>
    Backlog,
}

/// <summary>One measurement, as a worker is told.</summary>
/// <param name="Mode">How.</param>
/// <param name="Events">How many.</param>
/// <param name="Rate">Events a second, for <see cref="Mode.AtRate"/>.</param>
internal sealed record Work(Mode Mode, int Events, int Rate = 0);

/// <summary>What one measurement found.</summary>
/// <param name="EventsPerSecond">Events published and handled in a second.</param>
/// <param name="P50">The median latency in microseconds; 0 where none is measured.</param>
/// <param name="P99">Its 99th percentile.</param>
/// <param name="P999">Its 99.9th percentile.</param>
/// <param name="Cpu">Microseconds of processor an event cost the process.</param>
/// <param name="Bytes">Bytes of objects an event cost the process.</param>
/// <param name="PeakMiB">The most memory that the process had resident meanwhile.</param>
/// <param name="Problem">What went wrong; null: nothing.</param>
internal sealed record Sample(double EventsPerSecond, double P50, double P99, double P999, double Cpu, double Bytes, double PeakMiB, string? Problem = null)
{
    public static Sample Failed(string problem) => new(0, 0, 0, 0, 0, 0, 0, problem);
}
