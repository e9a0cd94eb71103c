using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace EventBus;

/// <summary>
/// Builds the names of consumer groups. Two different pairs of service and subscription never have one name.
/// </summary>
internal static class KafkaGroupNames
{
    // The maximum length of a group, which the brokers store as a short text.
    private const int MaxLength = 32_767;

    private const char Separator = '.';
    private const char OtherSeparator = ':';
    private const char HashMark = '#';
    private const string PeriodsMark = "!periods";
    private const string ReplaysMark = "!replays";

    private static readonly SearchValues<char> PlainCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+");

    /// <summary>Gets the group of a subscription: <c>{service}.{subscription}</c>.</summary>
    /// <remarks>
    /// The first dot ends the service. A service whose own name has a dot is separated by a colon instead, which no
    /// name contains.
    /// </remarks>
    public static string Of(string service, string subscription)
    {
        var separator = service.Contains(Separator, StringComparison.Ordinal) ? OtherSeparator : Separator;
        var name = $"{service}{separator}{subscription}";
        return IsPlain(service) && IsPlain(subscription) && name.Length <= MaxLength ? name : Hashed(service, subscription);
    }

    /// <summary>
    /// Gets the group whose positions are the notes of <see cref="PartitionPeriods"/>. It has no members. It is the
    /// group of no subscription: none of these names has an exclamation mark.
    /// </summary>
    public static string PeriodsOf(string group) => group + PeriodsMark;

    /// <summary>
    /// Gets the group whose positions are the notes of replays (<see cref="ReplayRecord"/>). It has no members, and is
    /// the group of no subscription.
    /// </summary>
    public static string ReplaysOf(string group) => group + ReplaysMark;

    /// <summary>Gets the beginning of the groups of a service.</summary>
    public static string PrefixOf(string service) =>
        service + (service.Contains(Separator, StringComparison.Ordinal) ? OtherSeparator : Separator);

    // A bus accepts only names of plain characters. Other names occur only if the transport is used without a bus.
    private static bool IsPlain(string name) => name.Length > 0 && !name.AsSpan().ContainsAnyExcept(PlainCharacters);

    private static string Hashed(string service, string subscription)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{service.Length}\0{service}\0{subscription}"));
        var readable = new string([.. $"{service}.{subscription}".Where(PlainCharacters.Contains).Take(100)]);
        return $"{readable}{HashMark}{Convert.ToHexStringLower(hash)}";
    }
}
