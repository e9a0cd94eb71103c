namespace EventBus;

/// <summary>
/// An alert about dead letters of one subscription and event name, or of event names that the application does not
/// declare. Usually contains one dead letter; more when several were recorded within
/// <see cref="EventBusOptions.AlertInterval"/>.
/// </summary>
/// <param name="First">The first of them that was not retried or discarded meanwhile, with all its data.</param>
/// <param name="Ids">The ids of all dead letters, oldest first.</param>
public sealed record DeadLetterAlert(DeadLetter First, IReadOnlyList<string> Ids)
{
    /// <summary>
    /// The name of the application that has the dead letters: <see cref="EventBusOptions.ServiceName"/>.
    /// </summary>
    public string ServiceName { get; init; } = "";

    /// <summary>The number of dead letters in this alert. Some may have been retried or discarded meanwhile.</summary>
    public int Count => Ids.Count;
}
