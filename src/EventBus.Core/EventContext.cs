using System.Data.Common;

namespace EventBus;

/// <summary>
/// Provides a handler with the attributes of one delivery of an event to one subscription, and publishes follow-up
/// events.
/// </summary>
/// <remarks>
/// Valid until the handler's task completes. Reading is thread-safe; publish from one thread at a time.
/// </remarks>
public abstract class EventContext
{
    /// <summary>The maximum number of events that one run of a handler may publish through its context.</summary>
    internal const int MaxPublished = 1_000;

    private protected EventContext()
    {
    }

    /// <summary>The event's id. It is the same for every subscription, retry and redelivery.</summary>
    public abstract string EventId { get; }

    /// <summary>The event's name, for instance <c>order.placed</c>.</summary>
    public abstract string EventName { get; }

    /// <summary>The version in which the event was published, 1 or more.</summary>
    public abstract int EventVersion { get; }

    /// <summary>
    /// The event's key; null for none. An ordered subscription handles the events of one key in order.
    /// </summary>
    public abstract string? Key { get; }

    /// <summary>The UTC time at which the event was published, by the publisher's clock.</summary>
    public abstract DateTimeOffset Time { get; }

    /// <summary>The user's headers. Never null.</summary>
    public abstract IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>The id that all events of one business process share.</summary>
    public abstract string CorrelationId { get; }

    /// <summary>The id of the event whose handler published this event; null if no handler published it.</summary>
    public abstract string? CausationId { get; }

    /// <summary>
    /// The CloudEvents <c>source</c> of an event that arrived serialized. For events that this library published, it is
    /// the service's name. Null if the event was never serialized or the publisher gave no source.
    /// </summary>
    public abstract string? Source { get; }

    /// <summary>The subscription's name.</summary>
    public abstract string Subscription { get; }

    /// <summary>The number of this attempt: 1 for the first attempt, 2 for the first retry.</summary>
    public abstract int Attempt { get; }

    /// <summary>True if an operator requested a retry of this event after it had become a dead letter.</summary>
    public abstract bool IsManualRetry { get; }

    /// <summary>
    /// True if the event is delivered again by a replay of the subscription
    /// (<see cref="ISubscriptionManager.ReplayAsync"/>), also for its retries. The event may have been handled before;
    /// <see cref="IdempotencyKey"/> is the same as then.
    /// </summary>
    public abstract bool IsReplay { get; }

    /// <summary>
    /// A key that makes effects outside the bus idempotent. It is the same for every attempt, redelivery and
    /// dead-letter retry of this event in this subscription, also in a replay, and different for every other event and
    /// subscription. With <c>KeyedBy</c> it is the same for all events that count as copies of one another. On a keyed
    /// bus it begins with the key of the bus.
    /// </summary>
    public abstract string IdempotencyKey { get; }

    /// <summary>
    /// A number that increases with each run of the same event in an idempotent subscription. A resource that remembers
    /// the highest number can refuse a run that was superseded. 0 if the subscription is not idempotent.
    /// </summary>
    public abstract long FencingToken { get; }

    /// <summary>
    /// The event as the type that the handler takes, upcast from an older version if needed. Null if a wildcard
    /// subscription receives an event name that this application does not know.
    /// </summary>
    public abstract object? Event { get; }

    /// <summary>The event as JSON (UTF-8): the bytes that arrived, or bytes that are serialized on demand.</summary>
    /// <exception cref="EventBusException">
    /// The event was never serialized, and there is no JSON type information for its type.
    /// </exception>
    public abstract ReadOnlyMemory<byte> Body { get; }

    /// <summary>
    /// The service provider of this delivery's own scope. The scope is created on first use and disposed when the
    /// handler has ended; scoped handlers are created in it.
    /// </summary>
    public abstract IServiceProvider Services { get; }

    /// <summary>The events that this handler has published so far. They are sent after it has succeeded.</summary>
    public abstract IReadOnlyList<object> Published { get; }

    /// <summary>
    /// The effects that this handler has registered with <see cref="OnCommit"/> so far. Intended for tests.
    /// </summary>
    public abstract IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> CommitEffects { get; }

    /// <summary>
    /// Publishes a follow-up event. The event is sent after the handler has succeeded, and is discarded if the handler
    /// fails.
    /// </summary>
    /// <remarks>
    /// The id is derived from this event, the subscription and the position, so that a repeated run publishes the same
    /// events. The correlation id is inherited, and the causation id is the id of this event.
    /// </remarks>
    /// <param name="event">The event.</param>
    /// <param name="options">The options that differ from the defaults; null for none.</param>
    /// <param name="cancellationToken">Checked before the event is accepted.</param>
    /// <exception cref="PublishException">
    /// The event was rejected, for instance because it is too large, or its options are invalid.
    /// </exception>
    public abstract Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull;

    /// <summary>
    /// Publishes a follow-up event with the default options. The event is sent after the handler has succeeded, and is
    /// discarded if the handler fails.
    /// </summary>
    /// <param name="event">The event.</param>
    /// <param name="cancellationToken">Checked before the event is accepted.</param>
    /// <exception cref="PublishException">
    /// The event was rejected, for instance because it is too large.
    /// </exception>
    public Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull => PublishAsync(@event, null, cancellationToken);

    /// <summary>
    /// Registers an effect that runs in the transaction that marks this event as handled, after the handler has
    /// succeeded. The effect is committed exactly once or not at all, even if the process is killed. Requires an
    /// idempotent subscription and a store with transactions.
    /// </summary>
    /// <remarks>
    /// Keep the effect short: it holds the store's write lock. If it throws, nothing is committed and the attempt
    /// fails. Effects run in the scope of the delivery, in the order of registration.
    /// </remarks>
    /// <param name="effect">
    /// Called with the open transaction; <c>transaction.Connection</c> is the store's connection. Do not commit the
    /// transaction or close the connection. The token is the handler's token.
    /// </param>
    /// <exception cref="InvalidOperationException">
    /// The subscription is not idempotent, or its store has no transactions.
    /// </exception>
    public abstract void OnCommit(Func<DbTransaction, CancellationToken, Task> effect);

    private protected static PublishException TooManyPublished() =>
        new(
            $"One handler run may publish at most {MaxPublished} events through its context. Use PublishManyAsync of IEventBus for more.",
            PublishFailure.Rejected,
            null);
}
