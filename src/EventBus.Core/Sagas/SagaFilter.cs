namespace EventBus;

/// <summary>Selects the sagas to list or count.</summary>
public sealed record SagaFilter
{
    /// <summary>The name of the saga. Default: all.</summary>
    public string? Saga { get; init; }

    /// <summary>The status. Default: all.</summary>
    public SagaStatus? Status { get; init; }

    /// <summary>
    /// The <see cref="SagaInfo.Number"/> of the last saga of the previous page: only sagas started before it are
    /// listed. Default: the list begins with the latest.
    /// </summary>
    public long? Before { get; init; }

    /// <summary>The maximum number of sagas to list, 1 to 1,000. Default 100.</summary>
    public int Take { get; init; } = 100;
}
