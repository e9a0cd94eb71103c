namespace EventBus.Transports;

/// <summary>A backend: carries envelopes from publishers to the receivers of subscriptions. This type and the few beside it are all that a backend writes.</summary>
/// <remarks>
/// <para>A transport sees no event type, handler or policy: serialization, retry, dead letters, order, concurrency and telemetry belong to the bus.</para>
/// <para>The bus calls <see cref="StartAsync"/> once, then <see cref="SubscribeAsync"/> once for each subscription, then <see cref="PublishAsync"/> from many threads at
/// once, and disposes the receivers before the transport. A transport that loses its connection repairs itself: it keeps its receivers alive, delivers again what was not
/// settled, and marks as lost (<see cref="Delivery.Lost"/>) what it handed out and no longer owns, or cannot know that it still owns.</para>
/// <para>Every wait inside a transport has a deadline of its own. <c>EventBus.Conformance</c> proves a transport against these rules.</para>
/// </remarks>
public abstract class Transport : IAsyncDisposable
{
    /// <summary>What this backend can do. Constant for the life of the instance.</summary>
    public abstract TransportFeatures Features { get; }

    /// <summary>Connects, and creates or checks what the topology needs. Called once, before anything else.</summary>
    /// <remarks>A server that is out of reach is an error only if the topology says so (<see cref="TransportTopology.FailFast"/>). A server that answers and refuses (credentials, a queue of another kind) always is, with an error that names the mend.</remarks>
    /// <param name="topology">Every subscription and every declared event name of this application.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public abstract ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken);

    /// <summary>Sends events and reports each. Completes when every outcome is known, and at the latest soon after the token is cancelled. Thread-safe.</summary>
    /// <remarks>
    /// Events of one key keep the order of the batch and of the calls. Once it is known that one is not accepted, later ones of the same key that have not been sent are not sent, and fail.
    /// An outcome that is left unwritten, also by throwing, counts as in doubt. A retry of the transport's own sends the same id again.
    /// Where events leave the process (<see cref="TransportFeatures.Serializes"/>), the bus calls again for those that have failed, until the deadline, and holds later ones of their keys back meanwhile.
    /// </remarks>
    /// <param name="batch">The events. The memory is valid until the call completes; the envelopes may be kept.</param>
    /// <param name="outcomes">As long as the batch: where the outcome of each event is written.</param>
    /// <param name="deadline">Cancelled when time is up: what is not accepted by then ends as failed if it was certainly not sent, otherwise in doubt. A caller's own token never gets here.</param>
    public abstract ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline);

    /// <summary>Opens a subscription; completes once it is live, so that whatever is published afterwards reaches it, or, after a degraded start, once it is sure to become live.</summary>
    /// <param name="subscription">One of the topology's subscriptions.</param>
    /// <param name="cancellationToken">Ends the waiting. A subscription that becomes live after that is the transport's to close.</param>
    public abstract ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken);

    /// <summary>Whether anyone can be listening for a name. False only where the transport knows for sure; the bus then ends the publish at once, as unrouted. Default true. Thread-safe and fast.</summary>
    /// <param name="eventName">The event's name.</param>
    public virtual bool MayHaveSubscribers(string eventName) => true;

    /// <summary>The events accepted and the events settled since the start, counted once for each subscription, where the transport can count them (<see cref="TransportFeatures.CountsWork"/>). Thread-safe.</summary>
    public virtual TransportWork Work => default;

    /// <summary>The state of the connection. Called by health checks; answers within a second. Default healthy.</summary>
    /// <param name="cancellationToken">Ends the check.</param>
    public virtual ValueTask<TransportHealth> CheckHealthAsync(CancellationToken cancellationToken) => ValueTask.FromResult(TransportHealth.Healthy);

    /// <summary>Removes what the backend keeps for a subscription that is in nobody's topology any more. Nothing there: nothing happens. Thread-safe. Default: not supported.</summary>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="discardWaiting">Whether to remove it although events wait in it.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="EventBusException">Events wait in it and are not to be discarded, or somebody consumes it, or the server is out of reach.</exception>
    /// <exception cref="NotSupportedException">The backend keeps nothing for subscriptions.</exception>
    public virtual ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken) =>
        throw new NotSupportedException($"The backend {Features.System} keeps nothing for a subscription beyond the process, so there is nothing to retire.");

    /// <summary>How many other receivers consume a subscription. Asked every few seconds where instances share subscriptions (<see cref="TransportFeatures.SharesSubscriptions"/>) and not their stores. Thread-safe. Default null: the backend cannot tell.</summary>
    /// <param name="subscription">The name of a subscription of this transport.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The others; null while that is not known.</returns>
    public virtual ValueTask<OtherConsumers?> CountOthersAsync(string subscription, CancellationToken cancellationToken) => ValueTask.FromResult<OtherConsumers?>(null);

    /// <summary>Looks for what the backend keeps for a subscription of this or another application, where it cannot list it (<see cref="TransportFeatures.KeepsUnlisted"/>). Changes nothing, and needs no right beyond those of a publisher. Thread-safe. Default null.</summary>
    /// <param name="service">The name of the application.</param>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Null when nothing is kept.</returns>
    /// <exception cref="EventBusException">It is not known now.</exception>
    public virtual ValueTask<KeptSubscription?> FindKeptAsync(string service, string subscription, CancellationToken cancellationToken) => ValueTask.FromResult<KeptSubscription?>(null);

    /// <summary>Takes an event that the broker itself gave up, where it does so (<see cref="TransportFeatures.GivesUp"/>). The bus asks every second, keeps it as a dead letter and then acknowledges it. Default none.</summary>
    /// <remarks>Not being able to look is no error here: it shows in <see cref="CheckHealthAsync"/>. What is not settled comes again.</remarks>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Null when there is none for now.</returns>
    public virtual ValueTask<BrokerDeadLetter?> TakeGivenUpAsync(CancellationToken cancellationToken) => ValueTask.FromResult<BrokerDeadLetter?>(null);

    /// <summary>Flushes and closes, within a bound of its own whatever the broker does. Safe to call twice.</summary>
    public abstract ValueTask DisposeAsync();
}
