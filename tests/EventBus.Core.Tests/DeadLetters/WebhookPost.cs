using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace EventBus;

/// <summary>A request that the server received.</summary>
internal sealed record WebhookPost(string Request, IReadOnlyDictionary<string, string> Headers, string Body);
