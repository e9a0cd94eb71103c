using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Transports;

/// <summary>
/// Represents a backend that carries envelopes from publishers to the receivers of subscriptions. A backend implements
/// this type and the related types of this namespace.
/// </summary>
/// <remarks>
/// <para>
/// A transport does not know event types, handlers or policies: the bus does serialization, retries, dead letters,
/// order, concurrency and telemetry.
/// </para>
/// <para>
/// The bus calls <see cref="StartAsync"/> once, then <see cref="SubscribeAsync"/> once for each subscription, then
/// <see cref="PublishAsync"/> concurrently from many threads. It disposes the receivers before the transport. A
/// transport that loses its connection reconnects by itself: it keeps its receivers open, redelivers what was not
/// settled, and marks as lost (<see cref="Delivery.Lost"/>) each delivery that it no longer owns or cannot be sure to
/// own.
/// </para>
/// <para>
/// Every wait inside a transport has its own deadline. <c>EventBus.Conformance</c> tests a transport against these
/// rules.
/// </para>
/// </remarks>
public abstract class Transport : IAsyncDisposable
{
    /// <summary>The capabilities of this backend. Constant for the lifetime of the instance.</summary>
    public abstract TransportFeatures Features { get; }

    /// <summary>
    /// Connects, and creates or checks what the topology needs. Called once, before any other method.
    /// </summary>
    /// <remarks>
    /// An unreachable server is an error only if the topology says so (<see cref="TransportTopology.FailFast"/>). A
    /// server that answers and refuses (credentials, a queue of another kind) is always an error, and its message says
    /// how to fix it.
    /// </remarks>
    /// <param name="topology">Every subscription and every declared event name of this application.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    public abstract ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken);

    /// <summary>
    /// Sends events and reports the outcome of each. Completes when every outcome is known, and at the latest soon
    /// after the deadline is cancelled. Thread-safe.
    /// </summary>
    /// <remarks>
    /// Events of one key keep the order of the batch and of the calls. Once an event is known not to be accepted, later
    /// events of its key that have not been sent are not sent, and fail. An outcome that is not written, for instance
    /// because the method throws, counts as in doubt. A retry inside the transport sends the same id again. If events
    /// leave the process (<see cref="TransportFeatures.Serializes"/>), the bus calls this method again for failed
    /// events until the deadline, and meanwhile holds back the later events of their keys.
    /// </remarks>
    /// <param name="batch">
    /// The events. The memory is valid until the call completes; the envelopes may be kept longer.
    /// </param>
    /// <param name="outcomes">Receives the outcome of each event. It has the same length as the batch.</param>
    /// <param name="deadline">
    /// Cancelled when the time has elapsed. An event that is not accepted by then ends as failed if it was certainly
    /// not sent, otherwise as in doubt. The caller's own token is never passed here.
    /// </param>
    public abstract ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline);

    /// <summary>
    /// Opens a subscription. Completes once the subscription is active, so that it receives every event published
    /// afterwards, or, after a degraded start, once it is certain to become active.
    /// </summary>
    /// <param name="subscription">One of the topology's subscriptions.</param>
    /// <param name="cancellationToken">
    /// Cancels the wait. The transport must close a subscription that becomes active after that.
    /// </param>
    public abstract ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken);

    /// <summary>
    /// Returns false only if the transport knows for certain that no subscription receives an event name. The bus then
    /// ends the publish at once, as unrouted. Default true. Thread-safe and fast.
    /// </summary>
    /// <param name="eventName">The event's name.</param>
    public virtual bool MayHaveSubscribers(string eventName) => true;

    /// <summary>
    /// The number of deliveries that publishes have caused since the start, one for each event and subscription; and
    /// the number of those that were acknowledged. Needed if <see cref="TransportFeatures.CountsWork"/> is true.
    /// Thread-safe.
    /// </summary>
    public virtual (long Accepted, long Settled) Work => default;

    /// <summary>
    /// Checks the state of the connection, within a second. Called by health checks. Default healthy.
    /// </summary>
    /// <param name="cancellationToken">Cancels the check.</param>
    /// <returns>
    /// Degraded if the backend works but an operator should investigate; unhealthy if publishing or consuming does not
    /// work. The description names the problem and its solution, without secrets. The data become those of the health
    /// check of the bus; the exception is ignored.
    /// </returns>
    public virtual ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(HealthCheckResult.Healthy());

    /// <summary>
    /// Removes what the backend keeps for a subscription that is no longer in any topology. Does nothing if there is
    /// nothing to remove. Thread-safe. Default: not supported.
    /// </summary>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="discardWaiting">True to remove it although events wait in it.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="EventBusException">
    /// Events wait in it and <paramref name="discardWaiting"/> is false, or a receiver consumes it, or the server is
    /// unreachable, or the backend keeps nothing for subscriptions.
    /// </exception>
    public virtual ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken) =>
        throw new EventBusException(
            $"The backend {Features.System} keeps nothing for a subscription after the process ends, so there is nothing to retire.");

    /// <summary>
    /// Moves the position of a subscription back, so that its receiver delivers events again, if the backend keeps them
    /// (<see cref="TransportFeatures.Replays"/>). The receiver stays open. Thread-safe. Default: not supported.
    /// </summary>
    /// <remarks>
    /// Events before the old position are delivered as parts of the replay (<see cref="Envelope.AsReplay"/>), also
    /// after a restart and on other instances. The position is never moved forward.
    /// </remarks>
    /// <param name="subscription">The name of a subscription with an open receiver.</param>
    /// <param name="start">Where the replay begins.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of the replay, above zero and higher than those of earlier ones.</returns>
    /// <exception cref="EventBusException">
    /// Another receiver consumes the subscription, the server is unreachable, or the backend keeps no events that were
    /// handled.
    /// </exception>
    public virtual ValueTask<long> ReplayAsync(string subscription, ReplayStart start, CancellationToken cancellationToken) =>
        throw new EventBusException(
            $"The backend {Features.System} keeps no events that were handled, so the subscription '{subscription}' cannot be replayed. "
                + "Kafka keeps them: bus.UseKafka(...).");

    /// <summary>
    /// Counts the other receivers that consume a subscription. Called every few seconds if instances share
    /// subscriptions (<see cref="TransportFeatures.SharesSubscriptions"/>) but not their stores. Thread-safe. Default
    /// null: the backend cannot count them.
    /// </summary>
    /// <param name="subscription">The name of a subscription of this transport.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>
    /// The number of receivers other than that of this transport, in any process, and the time for which the backend
    /// may still count a receiver whose process has ended. Null while they are not known.
    /// </returns>
    public virtual ValueTask<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(
        string subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<(int Count, TimeSpan ExpiresAfter)?>(null);

    /// <summary>
    /// Finds the queue of a subscription of this or another application, if the backend cannot list its queues
    /// (<see cref="TransportFeatures.KeepsUnlistedQueues"/>). Changes nothing, and needs only the permissions of a
    /// publisher. Thread-safe. Default null.
    /// </summary>
    /// <param name="service">The name of the application.</param>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>Null if there is no queue.</returns>
    /// <exception cref="EventBusException">The answer cannot be determined now.</exception>
    public virtual ValueTask<SubscriptionQueue?> FindQueueAsync(
        string service, string subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<SubscriptionQueue?>(null);

    /// <summary>
    /// Returns how many events the backend holds for each open subscription of this transport. Called every few seconds
    /// for the metrics if <see cref="TransportFeatures.KnowsBacklog"/> is true. Changes nothing, and needs no time that
    /// grows with the number of events. A subscription whose events are not known at present is left out. Thread-safe.
    /// Default none.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="Exception">The backend gave no answer.</exception>
    public virtual ValueTask<IReadOnlyList<SubscriptionBacklog>> ReadBacklogAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<SubscriptionBacklog>>([]);

    /// <summary>
    /// Takes an event that the broker itself dropped, if the broker does so
    /// (<see cref="TransportFeatures.DropsEvents"/>). The bus calls this method every second, stores the event as a
    /// dead letter and then acknowledges it. Default none.
    /// </summary>
    /// <remarks>
    /// An unreachable broker is not an error here: it is reported by <see cref="CheckHealthAsync"/>. Events that are
    /// not settled are redelivered.
    /// </remarks>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>Null if there is none at present.</returns>
    public virtual ValueTask<BrokerDeadLetter?> TakeBrokerDeadLetterAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<BrokerDeadLetter?>(null);

    /// <summary>
    /// Flushes and closes the transport, within its own time limit whatever the broker does. Safe to call twice.
    /// </summary>
    public abstract ValueTask DisposeAsync();
}
