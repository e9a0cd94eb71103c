using System.Collections.ObjectModel;
using System.Data.Common;
using EventBus.Transports;

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
    // Only two fields: the context of every further subscription is one object of 40 bytes.
    private SubscriptionRuntime? owner;
    private DeliveryState? handling;

    private protected EventContext()
    {
    }

    /// <summary>The event's id. It is the same for every subscription, retry and redelivery.</summary>
    public string EventId => Source.Id;

    /// <summary>The event's name, for instance <c>order.placed</c>.</summary>
    public string EventName => Source.Name;

    /// <summary>The version in which the event was published, 1 or more.</summary>
    public int EventVersion => Source.Version;

    /// <summary>
    /// The event's key; null for none. An ordered subscription handles the events of one key in order.
    /// </summary>
    public string? Key => Source.KeyText;

    /// <summary>The UTC time at which the event was published, by the publisher's clock.</summary>
    public DateTimeOffset Time => Source.PublishedAt;

    /// <summary>The user's headers. Never null.</summary>
    public IReadOnlyDictionary<string, string> Headers => Source.UserHeaders ?? ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The id that all events of one business process share.</summary>
    public string CorrelationId => Source.Extras?.CorrelationId ?? EventId;

    /// <summary>The id of the event whose handler published this event; null if no handler published it.</summary>
    public string? CausationId => Source.Extras?.CausationId;

    /// <summary>
    /// The CloudEvents <c>source</c> of an event that arrived serialized. For events that this library published, it is
    /// the service's name. Null if the event was never serialized or the publisher gave no source.
    /// </summary>
    public string? Origin => Source.OriginText;

    /// <summary>The subscription's name.</summary>
    public string Subscription => owner?.Name ?? handling?.TestSubscription ?? "";

    /// <summary>The number of this attempt: 1 for the first attempt, 2 for the first retry.</summary>
    public int Attempt => handling?.Attempt ?? 1;

    /// <summary>True if an operator requested a retry of this event after it had become a dead letter.</summary>
    public bool IsManualRetry => handling?.ManualRetries > 0;

    /// <summary>
    /// A key that makes effects outside the bus idempotent. It is the same for every attempt, redelivery and
    /// dead-letter retry of this event in this subscription, and different for every other event and subscription. With
    /// <c>KeyBy</c> it is the same for all events that count as copies of one another. On a keyed bus it begins with
    /// the key of the bus.
    /// </summary>
    public string IdempotencyKey => $"{owner?.Publisher.EffectPrefix}{Subscription}~{handling?.Key ?? EventId}";

    /// <summary>
    /// A number that increases with each run of the same event in an idempotent subscription. A resource that remembers
    /// the highest number can refuse a run that was superseded. 0 if the subscription is not idempotent.
    /// </summary>
    public long FencingToken => handling is { Fence: > 0 } claimed ? claimed.Fence : owner?.Once?.FenceOf(Source) ?? 0;

    /// <summary>
    /// The event as the type that the handler takes, upcast from an older version if needed. Null if a wildcard
    /// subscription receives an event name that this application does not know.
    /// </summary>
    public object? Event => handling?.Event ?? Source.Payload;

    /// <summary>The event as JSON (UTF-8): the bytes that arrived, or bytes that are serialized on demand.</summary>
    /// <exception cref="EventBusException">
    /// The event was never serialized, and there is no JSON type information for its type.
    /// </exception>
    public ReadOnlyMemory<byte> Body => Source.GetBody();

    /// <summary>
    /// The service provider of this delivery's own scope. The scope is created on first use and disposed when the
    /// handler has ended; scoped handlers are created in it.
    /// </summary>
    public IServiceProvider Services =>
        handling?.Services ?? (owner is not null ? EnsureHandling().OpenScope(owner.Scopes) : throw new InvalidOperationException("This context has no services. Give them to EventContext.ForTest(services: ...)."));

    /// <summary>The events that this handler has published so far. They are sent when the handler succeeds.</summary>
    public IReadOnlyList<object> Published => handling?.Outbox?.ConvertAll(envelope => envelope.Payload!) ?? (IReadOnlyList<object>)[];

    /// <summary>
    /// The effects that this handler has registered with <see cref="OnCommit"/> so far. Intended for tests.
    /// </summary>
    public IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> CommitEffects => handling?.Effects ?? (IReadOnlyList<Func<DbTransaction, CancellationToken, Task>>)[];

    internal SubscriptionRuntime? Owner => owner;

    internal DeliveryState? State => handling;

    /// <summary>True if later events of the key do not wait for this event, which was stored after a failure.</summary>
    internal bool MayBePassed => handling is { MayBePassed: true };

    private protected abstract Envelope Source { get; }

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
    /// The event was rejected: it is too large, or its options are invalid.
    /// </exception>
    public Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(@event);
        cancellationToken.ThrowIfCancellationRequested();
        var outbox = EnsureHandling().Outbox ??= [];
        if (outbox.Count >= DeliveryState.MaxOutbox)
        {
            throw new PublishException($"One handler run may publish at most {DeliveryState.MaxOutbox} events through its context. Use PublishManyAsync of IEventBus for more.", PublishFailure.Rejected, null);
        }

        outbox.Add(owner is null ? TestEnvelope(@event, options) : owner.Publisher.CreateFollowUp(@event, options, Source, owner.Name, outbox.Count));
        return Task.CompletedTask;
    }

    /// <summary>
    /// Publishes a follow-up event with the default options. The event is sent after the handler has succeeded, and is
    /// discarded if the handler fails.
    /// </summary>
    /// <param name="event">The event.</param>
    /// <param name="cancellationToken">Checked before the event is accepted.</param>
    /// <exception cref="PublishException">The event was rejected because it is too large.</exception>
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
    public void OnCommit(Func<DbTransaction, CancellationToken, Task> effect)
    {
        ArgumentNullException.ThrowIfNull(effect);
        if (owner is not null && !owner.HasTransactions)
        {
            throw new InvalidOperationException(owner.Once is null
                ? $"OnCommit needs an idempotent subscription. Add .Idempotent() to '{owner.Name}'."
                : $"OnCommit needs a store with transactions, and that of '{owner.Name}' has none. Use bus.StoreInSqlite(...), or give IdempotencyKey and FencingToken to the resource that you change.");
        }

        (EnsureHandling().Effects ??= []).Add(effect);
    }

    /// <summary>
    /// Creates a context for testing a handler in isolation. Events that the handler publishes through it are collected
    /// in <see cref="Published"/> and are not sent.
    /// </summary>
    /// <param name="event">The value of <see cref="Event"/>. Default none.</param>
    /// <param name="eventId">The event's id. Default <c>test-event</c>.</param>
    /// <param name="eventName">The event's name. Default <c>test.event</c>.</param>
    /// <param name="key">The event's key. Default none.</param>
    /// <param name="headers">The user's headers. Default none.</param>
    /// <param name="correlationId">The correlation id. Default the event's id.</param>
    /// <param name="causationId">The id of the event whose handler published this event. Default none.</param>
    /// <param name="subscription">The subscription's name. Default <c>test</c>.</param>
    /// <param name="attempt">The number of the attempt. Default 1.</param>
    /// <param name="time">
    /// The time at which the event was published. Default the Unix epoch, so that tests do not depend on the clock.
    /// </param>
    /// <param name="services">The value of <see cref="Services"/>. Default none.</param>
    public static EventContext ForTest(
        object? @event = null,
        string eventId = "test-event",
        string eventName = "test.event",
        string? key = null,
        IReadOnlyDictionary<string, string>? headers = null,
        string? correlationId = null,
        string? causationId = null,
        string subscription = "test",
        int attempt = 1,
        DateTimeOffset time = default,
        IServiceProvider? services = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(attempt, 1);
        EventContext context = new Envelope(
            new EnvelopeAttributes { Id = eventId, Name = eventName, Key = key, Headers = headers, CorrelationId = correlationId, CausationId = causationId, Time = time == default ? DateTimeOffset.UnixEpoch : time },
            []);
        context.handling = new DeliveryState { Event = @event, Attempt = attempt, Services = services, TestSubscription = subscription };
        return context;
    }

    /// <summary>
    /// Claims this envelope as the context of a subscription. The first subscription succeeds; the others create their
    /// own context.
    /// </summary>
    internal bool TryClaim(SubscriptionRuntime subscription) => Interlocked.CompareExchange(ref owner, subscription, null) is null;

    internal DeliveryState EnsureHandling()
    {
        // The handler and the code that waits for it may call this at the same time.
        var known = Volatile.Read(ref handling);
        if (known is null && new DeliveryState() is var made)
        {
            known = Interlocked.CompareExchange(ref handling, made, null) ?? made;
        }

        return ReferenceEquals(known, DeliveryState.Ended)
            ? throw new InvalidOperationException("The handler and its context have ended, so nothing can be published through the context. Await everything that a handler starts.")
            : known;
    }

    /// <summary>Marks the context as ended.</summary>
    internal void End() => handling = DeliveryState.Ended;

    private protected void Claim(SubscriptionRuntime subscription) => owner = subscription;

    private static Envelope TestEnvelope(object @event, PublishOptions? options)
    {
        var descriptor = new EventDescriptor(@event.GetType(), EventBus.EventNameRules.FromType(@event.GetType()) ?? "test.event", 1);
        return new Envelope(descriptor, @event, Guid.Empty, 0) { KeyText = options?.Key, UserHeaders = options?.Headers };
    }
}
