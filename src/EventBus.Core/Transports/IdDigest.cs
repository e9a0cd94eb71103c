using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace EventBus.Transports;

/// <summary>
/// Computes the hash that replaces an id that is too long or invalid. Different ids stay different, and copies of an
/// event keep the same id.
/// </summary>
internal static class IdDigest
{
    /// <summary>Returns the hash of an id, with the prefix <c>sha256-</c>.</summary>
    public static string Of(string id)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];

        // The UTF-16 characters are hashed directly: UTF-8 would map all unpaired surrogates to one character.
        SHA256.HashData(MemoryMarshal.AsBytes(id.AsSpan()), hash);
        return $"sha256-{Convert.ToHexStringLower(hash)}";
    }
}
