using System.Data.Common;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// The context of one delivery of an event to one subscription. Creates what most deliveries do not need on demand.
/// </summary>
internal sealed class DeliveryContext(Envelope envelope, SubscriptionRuntime subscription) : EventContext
{
    // The subscription; or the state once something needs one, which knows the subscription. One field for both: each
    // subscription of an event costs one such object, of 32 bytes.
    private object subscriptionOrState = subscription;

    public Envelope Envelope => envelope;

    /// <summary>The subscription that handles the event.</summary>
    public SubscriptionRuntime Owner => Volatile.Read(ref subscriptionOrState) switch
    {
        SubscriptionRuntime owner => owner,
        DeliveryState state => state.Owner,
        var ended => ((EndedDelivery)ended).Owner,
    };

    /// <summary>The state; null if nothing needed one.</summary>
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

    public override string IdempotencyKey => $"{Owner.EffectPrefix}{Subscription}~{State?.Key ?? EventId}";

    public override long FencingToken => State is { FencingToken: > 0 } claimed ? claimed.FencingToken : Owner.Claims?.FencingTokenOf(
        envelope) ?? 0;

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
            throw TooManyPublished();
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
            "The handler and its context have ended, so nothing can be published through the context. "
            + "Await everything that a handler starts.");

    /// <summary>Keeps the fencing token of this attempt, unless its handler has ended.</summary>
    public void KeepFencingToken(long fencingToken)
    {
        if (GetOrAddState() is { } state)
        {
            state.FencingToken = fencingToken;
        }
    }

    /// <summary>Marks the handler as ended: nothing can be published through the context any longer.</summary>
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
        var known = Volatile.Read(ref subscriptionOrState);
        if (known is SubscriptionRuntime owner)
        {
            var created = new DeliveryState(owner);
            known = Interlocked.CompareExchange(ref subscriptionOrState, created, owner);
            known = known == owner ? created : known;
        }

        return known as DeliveryState;
    }
}
