namespace EventBus;

/// <summary>Which sagas are meant.</summary>
public sealed record SagaFilter
{
    /// <summary>Only sagas of this name. Default all.</summary>
    public string? Saga { get; init; }

    /// <summary>Only this status. Default all.</summary>
    public SagaStatus? Status { get; init; }

    /// <summary>Only those that were started before the saga with this <see cref="SagaInfo.Number"/>: the last of the page before. Default the latest.</summary>
    public long? Before { get; init; }

    /// <summary>How many to list, 1 to 1,000. Default 100.</summary>
    public int Take { get; init; } = 100;
}
