namespace EventBus.Stores;

/// <summary>Entries that were due, and when to look again.</summary>
/// <param name="Entries">The claimed entries, oldest first.</param>
/// <param name="NextDue">When the next entry that the store knows becomes due; null for none.</param>
/// <typeparam name="T">The kind of entry.</typeparam>
public readonly record struct DueBatch<T>(IReadOnlyList<T> Entries, DateTimeOffset? NextDue);
