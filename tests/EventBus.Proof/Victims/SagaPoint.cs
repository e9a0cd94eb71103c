namespace EventBus.Proof;

/// <summary>The point directly before or directly after a moment.</summary>
internal sealed record SagaPoint(SagaMoment Moment, bool IsAfter)
{
    public static IReadOnlyList<SagaPoint> All { get; } =
        [.. Enum.GetValues<SagaMoment>()
            .Where(moment => moment != SagaMoment.None)
            .SelectMany(moment => (SagaPoint[])[new(moment, false), new(moment, true)])];

    public override string ToString() => $"{(IsAfter ? "after" : "before")} {Moment}";
}
