namespace EventBus.Load;

/// <summary>Contenders measured in turns in one arena.</summary>
/// <param name="Arena">Where.</param>
/// <param name="Modes">How, one after the other.</param>
/// <param name="Contenders">Who; the first is what the others are compared with.</param>
/// <param name="Rounds">How often each is measured in each mode.</param>
internal sealed record Case(Arena Arena, IReadOnlyList<Mode> Modes, IReadOnlyList<string> Contenders, int Rounds)
{
    /// <summary>How many events a round has; null: as many as take the time of a round.</summary>
    public int? Events { get; init; }
}
