namespace EventBus;

/// <summary>Dead letters of one subscription and event name (or of names that the application does not declare) that people are to be told of: usually one, more when many came within <see cref="EventBusOptions.AlertInterval"/>.</summary>
/// <param name="First">The first of them, in full.</param>
/// <param name="Ids">The ids of all, the oldest first.</param>
public sealed record DeadLetterAlert(DeadLetter First, IReadOnlyList<string> Ids)
{
    /// <summary>The application whose dead letters they are: <see cref="EventBusOptions.ServiceName"/>.</summary>
    public string ServiceName { get; init; } = "";

    /// <summary>How many dead letters this alert tells of. Some may have been retried or discarded meanwhile.</summary>
    public int Count => Ids.Count;
}
