using System.Threading.Channels;

namespace EventBus.Architecture.Tests.Example;

/// <summary>A message as a broker stores it: headers and bytes, without .NET types.</summary>
internal sealed record ChannelMessage(IReadOnlyDictionary<string, string> Headers, byte[] Body);
