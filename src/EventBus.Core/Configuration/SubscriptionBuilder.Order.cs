using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

// The settings for the order of events: ordered subscriptions, order guards, sequences.
public sealed partial class SubscriptionBuilder
{
    /// <summary>
    /// Handles the events of one key one at a time, in the order in which they were published. Events with different
    /// keys are handled in parallel. Events without a key are handled in order, as if they had one common key; except
    /// on Kafka, which distributes them to partitions and keeps no order between those.
    /// </summary>
    /// <remarks>
    /// A failed event holds back the later events of its key until it succeeds, or until an operator retries or
    /// discards it.
    /// </remarks>
    public SubscriptionBuilder Ordered()
    {
        subscription.Ordered = true;
        return this;
    }

    /// <summary>
    /// Sets what happens to the later events of a key after an event became a dead letter, in an ordered or sequenced
    /// subscription. By default they wait until an operator retries or discards the dead letter.
    /// </summary>
    /// <param name="behavior">The behavior. Default <see cref="BlockedKeyBehavior.Wait"/>.</param>
    public SubscriptionBuilder OnBlockedKey(BlockedKeyBehavior behavior)
    {
        subscription.ContinueWhenBlocked = behavior == BlockedKeyBehavior.Continue;
        return this;
    }

    /// <summary>
    /// Adds an order guard, which decides before each event of a type whether the event may be handled now. If there
    /// are several guards, the first one that does not return <see cref="OrderDecision.Proceed"/> decides. The guard is
    /// registered as scoped, unless the application has registered it already.
    /// </summary>
    /// <param name="configure">Changes how long events may wait; null for the defaults.</param>
    /// <typeparam name="TEvent">The event type that the handler receives.</typeparam>
    /// <typeparam name="TGuard">The guard type.</typeparam>
    public SubscriptionBuilder Guard<TEvent, [DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicConstructors)] TGuard>(Action<OrderGuardOptions>? configure = null)
        where TEvent : notnull
        where TGuard : class, IOrderGuard<TEvent>
    {
        registration.Services.TryAddScoped<TGuard>();
        registration.Resolves(typeof(TGuard), "guard", subscription.Name);
        subscription.Guards.Add(new CustomGuardBinding<TEvent, TGuard>(Options(configure)));
        return this;
    }

    /// <summary>
    /// Handles the events of each key in the order of their sequence numbers, in whatever order they arrive: number n +
    /// 1 after number n. An event that arrives too early waits in the store until the gap is filled. An event is
    /// skipped if the sequence has already passed its number.
    /// </summary>
    /// <remarks>
    /// Only the sequence numbers decide, never clocks. They are kept in the store, also across restarts, for 90 days
    /// after the last event of a key. If a gap is not filled in time, each event behind it becomes a dead letter. When
    /// an operator retries the dead letter with the lowest number, the sequence continues without the missing events.
    /// </remarks>
    /// <param name="number">
    /// Returns the sequence number of an event within its key. Called from many threads concurrently.
    /// </param>
    /// <param name="first">The first sequence number of every key. Default 1.</param>
    /// <param name="configure">Changes how long events may wait; null for the defaults.</param>
    /// <typeparam name="TEvent">The event type that the handler receives.</typeparam>
    public SubscriptionBuilder Sequenced<TEvent>(Func<TEvent, long> number, long first = 1, Action<OrderGuardOptions>? configure = null)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(number);
        subscription.Guards.Add(new SequenceGuardBinding<TEvent>(number, first, Options(configure)));
        return this;
    }

    private static OrderGuardOptions Options(Action<OrderGuardOptions>? configure)
    {
        var options = new OrderGuardOptions();
        configure?.Invoke(options);
        return options;
    }
}
