using System.Text;
using System.Text.Json;

namespace EventBus;

/// <summary>A CloudEvents object that was taken apart: its attributes as text, and the bytes of its data.</summary>
internal sealed class RedisPubSubMessage
{
    private readonly Dictionary<string, string> attributes = new(StringComparer.Ordinal);
    private Range data;
    private bool dataIsText;
    private byte[]? binary;

    private RedisPubSubMessage()
    {
    }

    /// <summary>What is wrong with it; null when nothing is.</summary>
    public string? Defect { get; private set; }

    /// <summary>The body.</summary>
    public byte[] Data { get; private set; } = [];

    /// <summary>Takes a message apart. Null: it is no CloudEvents object, so all of it is a body.</summary>
    public static RedisPubSubMessage? TryRead(byte[] message)
    {
        var read = new RedisPubSubMessage();
        try
        {
            var reader = new Utf8JsonReader(message, new JsonReaderOptions { MaxDepth = RedisPubSubWireFormat.MaxDepth + 1 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = reader.GetString()!;
                reader.Read();
                read.Add(name, ref reader);
            }

            // Nothing may follow; the reader throws if something does.
            reader.Read();
            return read.TryFinish(message) ? read : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // No JSON, or text that is none.
            return null;
        }
    }

    /// <summary>An attribute, which is then no header any more; null for none.</summary>
    public string? Take(string name) => attributes.Remove(name, out var value) ? value : null;

    /// <summary>What nobody took: the user's headers. Null for none.</summary>
    public Dictionary<string, string>? TakeRest()
    {
        var odd = Take(RedisPubSubWireFormat.OddHeaders);
        if (odd is not null && !TryAddOdd(odd))
        {
            // Somebody else's extension of that name.
            attributes[RedisPubSubWireFormat.OddHeaders] = odd;
        }

        return attributes.Count > 0 ? attributes : null;
    }

    private void Add(string name, ref Utf8JsonReader reader)
    {
        switch (name)
        {
            case "data" or "data_base64" when binary is not null || !data.Equals(default):
                Defect ??= "The envelope has its data twice.";
                reader.Skip();
                break;
            case "data":
                dataIsText = reader.TokenType == JsonTokenType.String;
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                data = start..(int)reader.BytesConsumed;
                break;
            case "data_base64":
                if (reader.TokenType != JsonTokenType.String || !reader.TryGetBytesFromBase64(out binary))
                {
                    Defect ??= "The attribute 'data_base64' is no text in base 64.";
                    reader.Skip();
                }

                break;
            default:
                AddAttribute(name, ref reader);
                break;
        }
    }

    private void AddAttribute(string name, ref Utf8JsonReader reader)
    {
        var value = reader.TokenType switch
        {
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
            JsonTokenType.True => "true",
            JsonTokenType.False => "false",
            _ => null,
        };
        if (value is null)
        {
            // CloudEvents has no attributes that are null, a list or an object.
            reader.Skip();
        }
        else if (!attributes.TryAdd(name, value))
        {
            Defect ??= "The envelope has an attribute twice.";
        }
    }

    private bool TryFinish(byte[] message)
    {
        if (Take("specversion") is not { } specification)
        {
            return false;
        }

        if (specification != "1.0")
        {
            Defect ??= "The message claims a version of CloudEvents other than 1.0.";
        }

        if (binary is not null)
        {
            Data = binary;
        }
        else if (data.Equals(default))
        {
            Defect ??= "The envelope has no data.";
        }
        else
        {
            // With a media type that is not JSON a text is the body itself, and not the JSON of it.
            var raw = message.AsSpan(data);
            Data = dataIsText && attributes.TryGetValue("datacontenttype", out var type) && !RedisPubSubWireFormat.IsJson(type) ? Unquote(raw) : raw.ToArray();
        }

        if (Defect is not null)
        {
            // The evidence is the whole of it.
            Data = message;
        }

        return true;
    }

    private static byte[] Unquote(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text);
        reader.Read();
        return Encoding.UTF8.GetBytes(reader.GetString()!);
    }

    private bool TryAddOdd(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var headers = document.RootElement.EnumerateObject().Select(header => (header.Name, Value: header.Value.GetString() ?? "")).ToList();
            foreach (var (name, value) in headers)
            {
                attributes[name] = value;
            }

            return true;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
