using System.Data.Common;
using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>What is committed with a handled event.</summary>
/// <param name="Outbox">The events that the handler published, in order.</param>
/// <param name="Effects">What the handler wants done in the commit's transaction; empty unless <see cref="ProcessedEventStore.SupportsTransactions"/>.</param>
/// <param name="KeepUntil">When the key may be forgotten.</param>
public sealed record Completion(IReadOnlyList<Envelope> Outbox, IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> Effects, DateTimeOffset KeepUntil);
