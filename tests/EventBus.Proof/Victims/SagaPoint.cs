namespace EventBus.Proof;

/// <summary>A change in the life of a saga: something that a service does, or something that the store takes.</summary>
internal enum SagaMoment
{
    /// <summary>None that matters: a lease is renewed.</summary>
    None,

    /// <summary>A service does what a step asks for.</summary>
    Execute,

    /// <summary>A service undoes it.</summary>
    Compensate,

    /// <summary>A step looks at the reply.</summary>
    Reply,

    Created,
    Claimed,

    /// <summary>A step was executed, the next begins.</summary>
    Executed,

    /// <summary>A step waits for its reply.</summary>
    Waiting,

    /// <summary>It waits without being held by anybody.</summary>
    LeftWaiting,

    /// <summary>The reply has come.</summary>
    Replied,

    RetryPlanned,

    /// <summary>From executing to undoing.</summary>
    Turned,

    /// <summary>A step was undone, the one before it begins.</summary>
    Compensated,

    NeedsPeople,
    AlertClaimed,
    AlertTold,
    Completed,

    /// <summary>Ended, and everything is undone.</summary>
    Undone,

    /// <summary>After the end: its events are sent, and removed.</summary>
    EventsCleared,
}

/// <summary>Just before or just after such a moment.</summary>
internal sealed record SagaPoint(SagaMoment Moment, bool IsAfter)
{
    public static IReadOnlyList<SagaPoint> All { get; } =
        [.. Enum.GetValues<SagaMoment>()
            .Where(moment => moment != SagaMoment.None)
            .SelectMany(moment => (SagaPoint[])[new(moment, false), new(moment, true)])];

    public override string ToString() => $"{(IsAfter ? "after" : "before")} {Moment}";
}

/// <summary>
/// Kills the process at the point that is planned for a saga, once for each saga and so many times for each point.
/// </summary>
internal sealed class SagaReaper(Executioner executioner, IReadOnlyList<SagaPlan> plans, int kills)
{
    /// <summary>How often each point was reached, and killed at.</summary>
    public static IReadOnlyDictionary<SagaPoint, int> Reached(string folder) =>
        SagaPoint.All.ToDictionary(point => point, point => Directory.EnumerateFiles(folder, $"{point} *").Count());

    public void At(SagaMoment moment, bool isAfter, long number)
    {
        if (plans[(int)number].Point is { } point
            && point.Moment == moment
            && point.IsAfter == isAfter
            && executioner.Mark($"{number}.met"))
        {
            for (var kill = 0; kill < kills; kill++)
            {
                executioner.Kill($"{point} {kill}", number, ((int)moment * 2) + (isAfter ? 1 : 0));
            }
        }
    }
}
