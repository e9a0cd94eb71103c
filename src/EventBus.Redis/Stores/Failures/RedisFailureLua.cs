namespace EventBus;

/// <summary>
/// Composes the Lua code that the scripts of the failure store share. Keys and values are passed only in KEYS and ARGV.
/// </summary>
/// <remarks>
/// <para>
/// The variable <c>s</c> is the state of an entry, a JSON object that <see cref="RedisFailureStateFormat"/> writes and
/// reads. Its fields, with the members of <see cref="Stores.FailedEvent"/> that they store: <c>status</c>; <c>name</c>:
/// the name of the event; <c>starts</c>: <c>Attempts</c>; <c>accompanied</c>: <c>Concurrent</c>; <c>replays</c>:
/// <c>ManualRetries</c>; <c>claim</c>: the number of the last claim; <c>number</c>: <c>Number</c>; <c>due</c>:
/// <c>DueAt</c>; <c>first</c> and <c>last</c>: <c>FirstFailedAt</c> and <c>LastFailedAt</c>; <c>reason</c>;
/// <c>deadline</c>; <c>alert</c>: true if an alert is needed.
/// </para>
/// <para>
/// <c>line</c>: the prefix of the members of its line; <c>place</c>: its position in the line, 16 digits; <c>order</c>:
/// the prefix of the members of its order key; <c>rank</c>: <c>Position</c> as 20 digits; <c>before</c>: the rank of
/// the position before that; <c>held</c>: true while the entry is claimed; <c>interrupted</c>: true if the claim took
/// over an expired one; <c>broken</c>: true if the state was rebuilt from the indexes; <c>token</c>: the token of the
/// call that wrote the state.
/// </para>
/// <para>
/// A member of an index of lines or order keys consists of the prefix (<see cref="RedisFailureKeys.Prefix"/>), the
/// place or the rank, a tilde and the id. The members of one prefix are the range that ends before the prefix and a
/// colon, which sorts after all digits.
/// </para>
/// </remarks>
internal static class RedisFailureLua
{
    /// <summary>The beginning of every script: the keys and the shared functions.</summary>
    public const string Prelude = RedisFailureKeys.Prelude
        + RedisCounters.NextOf
        + RedisFailureStateLua.Functions
        + RedisFailureLineLua.Functions
        + RedisFailureIndexLua.Functions
        + RedisFailureEntryLua.Functions
        + RedisFailureOrderLua.Functions;
}
