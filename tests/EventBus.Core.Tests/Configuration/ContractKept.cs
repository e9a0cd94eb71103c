namespace EventBus;

/// <summary>An event that loses nothing.</summary>
internal sealed record ContractKept(int Width, int? Height, IReadOnlyList<string> Names)
{
    public required string Title { get; init; }

    public ContractAmount Amount { get; init; }

    public int Area => Width * (Height ?? 1);
}
