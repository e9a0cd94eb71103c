namespace EventBus;

/// <summary>A value that only initializers set.</summary>
internal readonly record struct ContractAmount
{
    public required decimal Value { get; init; }
}
