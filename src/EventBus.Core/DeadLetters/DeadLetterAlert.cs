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

    /// <summary>
    /// One printable line of at most 3,500 characters that an operator can act on: the application, the subscription,
    /// the name, id and key of the event, the attempts, the type of the error, the reason, and <see cref="Link"/> or
    /// <see cref="FindCall"/>. Of several dead letters, their number and the first one. It contains nothing of the
    /// body, the headers or the message of the error. Set by the bus.
    /// </summary>
    public string Summary { get; init; } = "";

    /// <summary>
    /// The call that shows the first dead letter, or the saga, as C# in one printable line:
    /// <c>deadLetters.FindAsync("receipt~01JD")</c> (<see cref="IDeadLetters"/>), <c>sagas.FindAsync("trip-1")</c>
    /// (<see cref="ISagas"/>). For dead letters in a queue of the broker: <c>deadLetters.ListAsync()</c>. Set by the
    /// bus.
    /// </summary>
    public string FindCall { get; init; } = "";

    /// <summary>
    /// The address of a page that shows the first dead letter, or the saga
    /// (<see cref="EventBusOptions.DeadLetterLink"/>, <see cref="SagaOptions.Link"/>); null for none.
    /// </summary>
    public string? Link { get; init; }

    /// <summary>The number of dead letters in this alert. Some may have been retried or discarded meanwhile.</summary>
    public int Count => Ids.Count;
}
