using System.Data.Common;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// The context of one delivery of an event to one subscription. Creates what most deliveries do not need on demand.
/// </summary>
internal sealed class DeliveryContext(Envelope envelope, SubscriptionRuntime subscription) : EventContext
{
    // One of three objects, each of which leads to the subscription: at first the subscription itself (a
    // SubscriptionRuntime), the DeliveryState once a value needs it, or the EndedDelivery if the delivery ends without
    // a state. One field instead of two keeps this object at 32 bytes; each subscription of an event costs one.
    private object subscriptionOrState = subscription;

    public Envelope Envelope => envelope;

    /// <summary>The subscription that handles the event.</summary>
    public SubscriptionRuntime Owner => Volatile.Read(ref subscriptionOrState) switch
    {
        SubscriptionRuntime owner => owner,
        DeliveryState state => state.Owner,
        var ended => ((EndedDelivery)ended).Owner,
    };

    /// <summary>The state; null if it was not needed so far.</summary>
    public DeliveryState? State => Volatile.Read(ref subscriptionOrState) as DeliveryState;

    public override string EventId => envelope.Id;

    public override string EventName => envelope.Name;

    public override int EventVersion => envelope.Version;

    public override string? Key => envelope.Key;

    public override DateTimeOffset Time => envelope.Time;

    public override IReadOnlyDictionary<string, string> Headers => envelope.Headers;

    public override string CorrelationId => envelope.CorrelationId;

    public override string? CausationId => envelope.CausationId;

    public override string? Source => envelope.Source;

    public override string Subscription => Owner.Name;

    public override int Attempt => State?.Attempt ?? 1;

    public override bool IsManualRetry => State is { ManualRetries: > 0 };

    public override bool IsReplay => envelope.Replay != 0;

    public override string IdempotencyKey =>
        $"{Owner.EffectPrefix}{Subscription}~"
            + (State?.DeduplicationKey is { } key ? EventIdentity.WithoutReplay(key, envelope) : EventId);

    public override long FencingToken
    {
        get
        {
            var own = State?.FencingToken ?? 0;
            return own > 0 ? own : Owner.Claims?.Local.FencingTokenOf(envelope) ?? 0;
        }
    }

    public override object? Event => State?.Event ?? envelope.Payload;

    public override ReadOnlyMemory<byte> Body => envelope.Body;

    public override IServiceProvider Services => State?.Services ?? EnsureState().OpenScope(Owner.Scopes);

    public override IReadOnlyList<object> Published =>
        State?.Outbox?.ConvertAll(published => published.Payload!) ?? (IReadOnlyList<object>)[];

    public override IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> CommitEffects =>
        State?.Effects ?? (IReadOnlyList<Func<DbTransaction, CancellationToken, Task>>)[];

    public override Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(@event);
        cancellationToken.ThrowIfCancellationRequested();
        var outbox = EnsureState().Outbox ??= [];
        if (outbox.Count >= MaxPublished)
        {
            throw Owner.FollowUps.Logged(TooManyPublished(), @event);
        }

        outbox.Add(Owner.FollowUps.Create(@event, options, envelope, Owner.Name, outbox.Count));
        return Task.CompletedTask;
    }

    public override void OnCommit(Func<DbTransaction, CancellationToken, Task> effect)
    {
        ArgumentNullException.ThrowIfNull(effect);
        if (!Owner.HasTransactions)
        {
            throw new InvalidOperationException(Owner.Claims is null
                ? $"OnCommit needs an idempotent subscription. Add .Idempotent() to '{Owner.Name}'."
                : $"OnCommit needs a store with transactions, and that of '{Owner.Name}' has none. "
                    + "Use bus.StoreInSqlite(...), or give IdempotencyKey and FencingToken to the resource that you change.");
        }

        (EnsureState().Effects ??= []).Add(effect);
    }

    /// <summary>Gets the state, and creates it if there is none.</summary>
    /// <exception cref="InvalidOperationException">The handler has ended.</exception>
    public DeliveryState EnsureState() => GetOrAddState() is { HasEnded: false } state
        ? state
        : throw new InvalidOperationException(
            "The handler has ended, so its context can no longer publish events, add effects or provide services. Await everything that "
                + "a handler starts.");

    /// <summary>Keeps the fencing token of this attempt, unless its handler has ended.</summary>
    public void KeepFencingToken(long fencingToken)
    {
        if (GetOrAddState() is { } state)
        {
            state.FencingToken = fencingToken;
        }
    }

    /// <summary>Marks the handler as ended: its context can no longer publish events or provide services.</summary>
    public void End()
    {
        if (Volatile.Read(ref subscriptionOrState) is SubscriptionRuntime owner)
        {
            Volatile.Write(ref subscriptionOrState, owner.Ended);
        }
        else
        {
            State?.End();
        }
    }

    /// <summary>Closes the scope if it is open.</summary>
    public ValueTask CloseScopeAsync() => State?.CloseScopeAsync() ?? ValueTask.CompletedTask;

    /// <summary>Gets the state, and creates it if the handler has not ended.</summary>
    /// <returns>Null if the handler has ended without a state.</returns>
    private DeliveryState? GetOrAddState()
    {
        // The handler and the code that waits for it may call this at the same time.
        var current = Volatile.Read(ref subscriptionOrState);
        if (current is not SubscriptionRuntime owner)
        {
            return current as DeliveryState;
        }

        var created = new DeliveryState(owner);
        var previous = Interlocked.CompareExchange(ref subscriptionOrState, created, owner);
        return previous == owner ? created : previous as DeliveryState;
    }
}
