namespace EventBus;

/// <summary>Represents a position in a partition that can be stored for the group.</summary>
/// <param name="NextOffset">The offset from which the next owner of the partition reads.</param>
/// <param name="LeaderEpoch">
/// The epoch of the leader that wrote the record before the position; null if it is unknown.
/// </param>
internal readonly record struct RecordPosition(long NextOffset, int? LeaderEpoch);
