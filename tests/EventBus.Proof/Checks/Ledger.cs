namespace EventBus.Proof;

/// <summary>The published events of a run and their effects.</summary>
internal sealed record Ledger
{
    /// <summary>The publisher's outcome of each number.</summary>
    public required Outcome[] Outcomes { get; init; }

    /// <summary>The entries that the handlers wrote.</summary>
    public required IReadOnlyList<Entry> Entries { get; init; }

    /// <summary>The number of effects of each event.</summary>
    public required IReadOnlyDictionary<long, int> Effects { get; init; }

    /// <summary>True if no event may take effect twice. Otherwise repeated effects are counted.</summary>
    public bool OnceEach { get; init; } = true;

    /// <summary>The events that ended as dead letters.</summary>
    public required IReadOnlySet<long> Dead { get; init; }

    /// <summary>The places that should be empty but are not.</summary>
    public required IReadOnlyList<string> Stuck { get; init; }

    /// <summary>The duration of the longest publish.</summary>
    public required TimeSpan LongestCall { get; init; }

    /// <summary>The maximum duration of a publish.</summary>
    public required TimeSpan Deadline { get; init; }
}
