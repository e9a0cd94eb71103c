using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace EventBus;

/// <summary>Defines the rules for the names of services, buses and subscriptions.</summary>
internal static class BusNames
{
    private const int MaxLength = 100;

    // The number of hexadecimal digits of a hash in the name of a service, and in the name of a bus with a key.
    private const int ServiceHashLength = 8;
    private const int KeyHashLength = 32;
    private const char KeySeparator = '+';

    /// <summary>
    /// Returns true if a text is the name of a subscription: 1 to 100 lower-case letters, digits, hyphens, underscores
    /// and dots.
    /// </summary>
    public static bool IsSubscription(string name) => IsName(name, allowUpper: false);

    /// <summary>
    /// Returns the error of an application name that is too long for the names of queues and keys; null if there is
    /// none, or if a service name is configured.
    /// </summary>
    public static string? ProblemOf(string? serviceName, string? applicationName) =>
        serviceName is null && applicationName?.Length > MaxLength
            ? $"The name of the application, '{PrintableText.Start(applicationName, 20)}...', has {applicationName.Length:N0} characters "
                + $"({Encoding.UTF8.GetByteCount(applicationName):N0} bytes); {MaxLength} are allowed, because the names of queues and "
                + $"keys begin with it. Set {nameof(EventBusOptions)}.{nameof(EventBusOptions.ServiceName)}."
            : null;

    /// <summary>
    /// Returns the name of a service: the configured one, or else that of the application, or else <c>app</c>. If that
    /// is not a valid name, its invalid characters are replaced, it is truncated, and its hash follows, so that two
    /// names which differ only in such characters stay apart.
    /// </summary>
    public static string OfService(string? serviceName, string? applicationName)
    {
        var name = serviceName ?? (string.IsNullOrEmpty(applicationName) ? "app" : applicationName);
        return IsName(name, allowUpper: true) ? name : $"{ToValid(name)}-{Hash(Encoding.UTF8.GetBytes(name), ServiceHashLength)}";
    }

    /// <summary>
    /// Returns the name of a bus on the backend and in the stores: the service name, followed by a plus sign and the
    /// key if there is one. A service name never contains a plus sign. If the key is not a valid name, its invalid
    /// characters are replaced, it is truncated, and its hash follows after a second plus sign.
    /// </summary>
    public static string OfBus(string serviceName, string? key)
    {
        if (key is null)
        {
            return serviceName;
        }

        if (IsName(key, allowUpper: true))
        {
            return $"{serviceName}{KeySeparator}{key}";
        }

        // The hash of the UTF-16 code units: UTF-8 would encode all unpaired surrogates alike.
        var hash = Hash(MemoryMarshal.AsBytes(key.AsSpan()), KeyHashLength);
        return $"{serviceName}{KeySeparator}{ToValid(key)}{KeySeparator}{hash}";
    }

    private static string Hash(ReadOnlySpan<byte> content, int length) => Convert.ToHexStringLower(SHA256.HashData(content))[..length];

    private static string ToValid(string name) =>
        string.Concat(name
            .Take(MaxLength - ServiceHashLength - 1)
            .Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '-'));

    private static bool IsName(string name, bool allowUpper) =>
        name.Length is > 0 and <= MaxLength && name.All(c => char.IsAsciiLetterLower(c)
            || char.IsAsciiDigit(c)
            || c is '-' or '_' or '.'
            || (allowUpper && char.IsAsciiLetterUpper(c)));
}
