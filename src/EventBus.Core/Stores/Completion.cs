using System.Data.Common;
using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>The data that is committed together with a handled event.</summary>
/// <param name="Outbox">The events that the handler published, in order.</param>
/// <param name="Effects">
/// The effects that the handler registered for the transaction; empty unless
/// <see cref="ProcessedEventStore.SupportsTransactions"/> is true.
/// </param>
/// <param name="KeepUntil">The time after which the event's <see cref="ProcessedKey"/> may be removed.</param>
public sealed record Completion(
    IReadOnlyList<Envelope> Outbox,
    IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> Effects,
    DateTimeOffset KeepUntil);
