using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace EventBus;

/// <summary>Defines the rules for the names of services, buses and subscriptions.</summary>
internal static class BusNames
{
    private const int MaxLength = 100;
    private const int HashLength = 8;
    private const int KeyHashLength = 32;
    private const char KeyMark = '+';

    /// <summary>
    /// Returns true if a text is the name of a subscription: 1 to 100 lower-case letters, digits, hyphens, underscores
    /// and dots.
    /// </summary>
    public static bool IsSubscription(string name) => IsName(name, allowUpper: false);

    /// <summary>
    /// Returns the name of a service: the configured one, or else that of the application, or else <c>app</c>. A name
    /// that is not valid has its invalid characters replaced, and its hash follows, so that two names which differ only
    /// in the replaced characters stay apart.
    /// </summary>
    public static string OfService(string? serviceName, string? applicationName)
    {
        var name = serviceName ?? (string.IsNullOrEmpty(applicationName) ? "app" : applicationName);
        return IsName(name, allowUpper: true) ? name : $"{Allowed(name)}-{Hash(Encoding.UTF8.GetBytes(name), HashLength)}";
    }

    /// <summary>
    /// Returns the name of a bus on the backend and in the stores: the service name, followed by a plus sign and the
    /// key if there is one. A service name never contains a plus sign. A key that is not a valid name has its invalid
    /// characters replaced, and its hash follows after a second plus sign.
    /// </summary>
    public static string OfBus(string serviceName, string? key)
    {
        if (key is null)
        {
            return serviceName;
        }

        return IsName(key, allowUpper: true)
            ? $"{serviceName}{KeyMark}{key}"
            : $"{serviceName}{KeyMark}{Allowed(key)}{KeyMark}{Hash(MemoryMarshal.AsBytes(key.AsSpan()), KeyHashLength)}";
    }

    private static string Hash(ReadOnlySpan<byte> content, int length) => Convert.ToHexStringLower(SHA256.HashData(content))[..length];

    private static string Allowed(string name) =>
        string.Concat(name.Take(MaxLength - HashLength - 1).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '-'));

    private static bool IsName(string name, bool allowUpper) =>
        name.Length is > 0 and <= MaxLength && name.All(c => char.IsAsciiLetterLower(c)
            || char.IsAsciiDigit(c)
            || c is '-' or '_' or '.'
            || (allowUpper && char.IsAsciiLetterUpper(c)));
}
