using System.Collections.ObjectModel;
using System.Data.Common;
using EventBus.Transports;

namespace EventBus;

/// <summary>One delivery of an event to one subscription: what a handler is told beside the event itself, and its way to publish follow-up events.</summary>
/// <remarks>Valid until the handler's task completes. Reading is thread-safe; publish from one thread at a time.</remarks>
public abstract class EventContext
{
    // Two fields and no more: the context of every further subscription is one object of 40 bytes.
    private SubscriptionRuntime? owner;
    private DeliveryState? handling;

    private protected EventContext()
    {
    }

    /// <summary>The event's id: the same for every subscription, every retry and every redelivery.</summary>
    public string EventId => Source.Id;

    /// <summary>The event's name, for instance <c>order.placed</c>.</summary>
    public string EventName => Source.Name;

    /// <summary>The version in which the event was published, 1 or more.</summary>
    public int EventVersion => Source.Version;

    /// <summary>The event's key: events of one key are in order in an ordered subscription. Null for none.</summary>
    public string? Key => Source.KeyText;

    /// <summary>When the event was published, by the publisher's clock, in UTC.</summary>
    public DateTimeOffset Time => Source.PublishedAt;

    /// <summary>The user's headers. Never null.</summary>
    public IReadOnlyDictionary<string, string> Headers => Source.UserHeaders ?? ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The id that all events of one business process share.</summary>
    public string CorrelationId => Source.Extras?.CorrelationId ?? EventId;

    /// <summary>The id of the event whose handler published this one; null if no handler did.</summary>
    public string? CausationId => Source.Extras?.CausationId;

    /// <summary>Where an event from a wire comes from: the CloudEvents <c>source</c>, for what this library publishes the service's name. Null for an event that was never on a wire, or when the publisher did not say.</summary>
    public string? Origin => Source.OriginText;

    /// <summary>The subscription's name.</summary>
    public string Subscription => owner?.Name ?? handling?.TestSubscription ?? "";

    /// <summary>Which start of the handler this is: 1 for the first, 2 for the first retry.</summary>
    public int Attempt => handling?.Attempt ?? 1;

    /// <summary>Whether people had this event retried after it had become a dead letter.</summary>
    public bool IsManualRetry => handling?.ManualRetries > 0;

    /// <summary>A key for effects outside the bus: the same for every start, redelivery and replay of this event in this subscription, and for no other. With <c>KeyBy</c> the same for all events that count as copies of one another. On a keyed bus it begins with the key of the bus.</summary>
    public string IdempotencyKey => $"{owner?.Publisher.EffectPrefix}{Subscription}~{handling?.Key ?? EventId}";

    /// <summary>In an idempotent subscription, a number that is higher for each later run of the same event: a resource that remembers the highest can refuse a run that was overtaken. 0 elsewhere.</summary>
    public long FencingToken => handling is { Fence: > 0 } claimed ? claimed.Fence : owner?.Once?.FenceOf(Source) ?? 0;

    /// <summary>The event as the handler's type, carried forward from an older version where needed; null for a wildcard subscription that meets a name this application does not know.</summary>
    public object? Event => handling?.Event ?? Source.Payload;

    /// <summary>The event as JSON (UTF-8): the bytes from the wire, or written on demand.</summary>
    /// <exception cref="EventBusException">The event was never on a wire, and no JSON type information is known for its type.</exception>
    public ReadOnlyMemory<byte> Body => Source.GetBody();

    /// <summary>The services of this delivery: a scope of its own, opened when it is first asked for, in which scoped handlers are made, and closed when the handler has ended.</summary>
    public IServiceProvider Services =>
        handling?.Services ?? (owner is not null ? EnsureHandling().OpenScope(owner.Scopes) : throw new InvalidOperationException("This context has no services. Give them to EventContext.ForTest(services: ...)."));

    /// <summary>The events that this handler has published so far. They leave when it succeeds.</summary>
    public IReadOnlyList<object> Published => handling?.Outbox?.ConvertAll(envelope => envelope.Payload!) ?? (IReadOnlyList<object>)[];

    /// <summary>What this handler asked for with <see cref="OnCommit"/> so far, for tests.</summary>
    public IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> CommitEffects => handling?.Effects ?? (IReadOnlyList<Func<DbTransaction, CancellationToken, Task>>)[];

    internal SubscriptionRuntime? Owner => owner;

    internal DeliveryState? State => handling;

    /// <summary>It was kept while later events of its key went on.</summary>
    internal bool MayBePassed => handling is { MayBePassed: true };

    private protected abstract Envelope Source { get; }

    /// <summary>Publishes a follow-up event: it leaves when the handler has succeeded, and never if it fails.</summary>
    /// <remarks>The id is derived from this event, the subscription and the position, so that a repeated run publishes the same events; correlation is inherited, and causation is this event.</remarks>
    /// <param name="event">The event.</param>
    /// <param name="options">What differs from the defaults; null for none.</param>
    /// <param name="cancellationToken">Checked before the event is taken.</param>
    /// <exception cref="PublishException">The event was refused: too large, or invalid options.</exception>
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

    /// <summary>Publishes a follow-up event with the default options: it leaves when the handler has succeeded, and never if it fails.</summary>
    /// <param name="event">The event.</param>
    /// <param name="cancellationToken">Checked before the event is taken.</param>
    /// <exception cref="PublishException">The event was refused: too large.</exception>
    public Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull => PublishAsync(@event, null, cancellationToken);

    /// <summary>In an idempotent subscription over a store with transactions: does something in the very transaction that marks this event done, after the handler has succeeded. It happens exactly once, or not at all, also when the process is killed.</summary>
    /// <remarks>Keep it short: it holds the store's write lock. If it throws, nothing is committed, and the start has failed. It runs in the scope of the delivery, after what was asked for before it.</remarks>
    /// <param name="effect">Called with the open transaction: <c>transaction.Connection</c> is the store's connection; neither commit nor close. Its token is that of the handler.</param>
    /// <exception cref="InvalidOperationException">The subscription is not idempotent, or its store has no transactions.</exception>
    public void OnCommit(Func<DbTransaction, CancellationToken, Task> effect)
    {
        ArgumentNullException.ThrowIfNull(effect);
        if (owner is not null && !owner.HasTransactions)
        {
            throw new InvalidOperationException(owner.Once is null
                ? $"OnCommit needs an idempotent subscription. Add .Idempotent() to '{owner.Name}'."
                : $"OnCommit needs a store with transactions, and that of '{owner.Name}' has none. Use bus.StoreInSqlite(...), or give IdempotencyKey and FencingNumber to the resource that you change.");
        }

        (EnsureHandling().Effects ??= []).Add(effect);
    }

    /// <summary>Makes a context for testing a handler alone. What the handler publishes through it is found in <see cref="Published"/> and goes nowhere.</summary>
    /// <param name="event">The event, for <see cref="Event"/>. Default none.</param>
    /// <param name="eventId">The event's id. Default <c>test-event</c>.</param>
    /// <param name="eventName">The event's name. Default <c>test.event</c>.</param>
    /// <param name="key">The event's key. Default none.</param>
    /// <param name="headers">The user's headers. Default none.</param>
    /// <param name="correlationId">The correlation id. Default the event's id.</param>
    /// <param name="causationId">The id of the event whose handler published this one. Default none.</param>
    /// <param name="subscription">The subscription's name. Default <c>test</c>.</param>
    /// <param name="attempt">Which start this is. Default 1.</param>
    /// <param name="time">When the event was published. Default the Unix epoch, so that tests do not depend on the clock.</param>
    /// <param name="services">What <see cref="Services"/> returns. Default none.</param>
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

    /// <summary>The first subscription to ask uses the envelope itself as its context; the others get one of their own.</summary>
    internal bool TryClaim(SubscriptionRuntime subscription) => Interlocked.CompareExchange(ref owner, subscription, null) is null;

    internal DeliveryState EnsureHandling()
    {
        // Whoever waits for the handler may ask at the same time as the handler.
        var known = Volatile.Read(ref handling);
        if (known is null && new DeliveryState() is var made)
        {
            known = Interlocked.CompareExchange(ref handling, made, null) ?? made;
        }

        return ReferenceEquals(known, DeliveryState.Ended)
            ? throw new InvalidOperationException("The handler has ended, and its context with it: what is published through it now would go nowhere. Await everything that a handler starts.")
            : known;
    }

    /// <summary>The handler has ended.</summary>
    internal void End() => handling = DeliveryState.Ended;

    private protected void Claim(SubscriptionRuntime subscription) => owner = subscription;

    private static Envelope TestEnvelope(object @event, PublishOptions? options)
    {
        var descriptor = new EventDescriptor(@event.GetType(), EventBus.EventNameRules.FromType(@event.GetType()) ?? "test.event", 1);
        return new Envelope(descriptor, @event, Guid.Empty, 0) { KeyText = options?.Key, UserHeaders = options?.Headers };
    }
}
