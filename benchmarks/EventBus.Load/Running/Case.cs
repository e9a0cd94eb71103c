namespace EventBus.Load;

/// <summary>Contenders measured in turns in one arena.</summary>
/// <param name="Arena">The arena.</param>
/// <param name="Modes">The modes, one after the other.</param>
/// <param name="Contenders">The contenders; the others are compared with the first.</param>
/// <param name="Rounds">The number of measurements of each in each mode.</param>
internal sealed record Case(Arena Arena, IReadOnlyList<Mode> Modes, IReadOnlyList<string> Contenders, int Rounds)
{
    /// <summary>The number of events of a round; null for as many as take the time of a round.</summary>
    public int? Events { get; init; }

    /// <summary>The other build of this program, for the contender <see cref="ContenderKind.OtherBuild"/>.</summary>
    public OtherBuild? OtherBuild { get; init; }
}
