using System.Threading.Channels;

namespace EventBus.Architecture.Tests.Example;

/// <summary>A message as a broker keeps it: headers and bytes, and no .NET type.</summary>
internal sealed record ChannelMessage(IReadOnlyDictionary<string, string> Headers, byte[] Body);
